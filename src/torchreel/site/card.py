"""A card that leads to a lesson: its clip's picture, and what its page says of itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import yaml
from markdown.util import AtomicString

from torchreel.records import Problem, TorchReelError
from torchreel.site.figure import Figure
from torchreel.site.source import front_matter
from torchreel.site.words import Words

_HEADING = re.compile(r"^# +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """The page that a card leads to: ``folder`` and ``page`` are relative to the project.

    ``number`` is the lesson's place in the course, None where that is not known, ``minutes`` how
    long it takes to read, as its front matter says.
    """

    folder: str
    page: str
    title: str
    description: str = ""
    minutes: str = ""
    number: int | None = None

    @classmethod
    def of(
        cls, script: str, words: Words, project: Path, numbers: Mapping[str, int], where: str
    ) -> Lesson:
        """Read the page beside a script, in a language; raises TorchReelError at ``where``."""
        folder = posixpath.dirname(script)
        page = posixpath.join(folder, "index.md")
        own = project / folder / f"index.{words.language}.md"
        file = own if own.is_file() else project / page
        if not file.is_file():
            what = f"there is no page {page} that a card could lead to"
            raise TorchReelError(Problem(where, what, "Write it, or show the clip as a poster."))
        text = file.read_text(encoding="utf-8")
        said = _said(text)
        heading = _HEADING.search(text)
        title = str(said.get("title") or (heading[1] if heading else folder))
        return cls(
            folder,
            page,
            title.strip(),
            str(said.get("description") or ""),
            str(said.get("minutes") or ""),
            numbers.get(folder),
        )

    def kicker(self, words: Words) -> str:
        """Return the small line above the title: the lesson's number and its minutes."""
        parts = [words.lesson.format(number=self.number)] if self.number else []
        parts += [words.minutes.format(minutes=self.minutes)] if self.minutes else []
        return " · ".join(parts)


def fill_card(card: Element, lesson: Lesson, page: str, words: Words) -> None:
    """Write a lesson's words below the picture of its card; the page's builder mends the link."""
    text = SubElement(card, "div", {"class": "tr-words"})
    kicker = SubElement(text, "p", {"class": "tr-kicker"})
    kicker.text = AtomicString(lesson.kicker(words))
    done = SubElement(kicker, "span", {"class": "tr-done", "hidden": "hidden"})
    done.text = AtomicString(words.done)
    # Not an h3: a table of contents is of the page's own headings.
    heading = SubElement(text, "div", {"class": "tr-title", "role": "heading", "aria-level": "3"})
    link = SubElement(
        heading, "a", {"href": posixpath.relpath(lesson.page, posixpath.dirname(page))}
    )
    link.text = AtomicString(lesson.title)
    if lesson.description:
        SubElement(text, "p").text = AtomicString(lesson.description)


def progress(words: Words) -> str:
    """Return the course's progress, which player.js fills from what the reader's browser kept."""
    return (
        f'<torchreel-progress class="tr-progress" hidden data-words="{escape(words.progress)}">'
        '<progress max="1" value="0"></progress><span></span>'
        f'<button type="button">{escape(words.reset)}</button></torchreel-progress>'
    )


def picture(figure: Figure) -> str:
    """Return a card's picture, and the clip that plays in its place while it is pointed at."""
    clip = figure.files.clip
    return (
        f'<div class="tr-media">{figure.poster()}<video loop muted playsinline preload="none"'
        f' width="{clip.width}" height="{clip.height}" style="--tr-ratio: {figure.ratio}"'
        f' src="{escape(figure.url("mp4"))}" aria-hidden="true" tabindex="-1"></video></div>'
    )


def _said(text: str) -> Mapping[str, Any]:
    """Return a page's front matter; what cannot be read is the builder's to tell."""
    lines = front_matter(text).strip().splitlines()
    try:
        said = yaml.safe_load("\n".join(lines[1:-1]))
    except yaml.YAMLError:
        return {}
    return said if isinstance(said, dict) else {}
