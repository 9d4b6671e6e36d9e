"""A clip block put into the page: its figure, and its transcript as Markdown of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import markdown
from markdown.util import AtomicString

from torchreel.records import Cell, Problem, TorchReelError, Trace
from torchreel.site.artifacts import Artifacts, ClipFiles
from torchreel.site.figure import Figure
from torchreel.site.quotes import Quotes
from torchreel.site.references import Moment
from torchreel.site.source import ClipBlock, Item, parse
from torchreel.site.statements import Shown, shown_statements
from torchreel.site.words import LANGUAGES, counted, language_of

_ANY_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Embedding:
    """What a block embeds: the clip, its cell and trace, and the statements it shows.

    ``home`` is the language of pages without a suffix.
    """

    block: ClipBlock
    page: str
    trace: Trace
    cell: Cell
    files: ClipFiles
    shown: tuple[Shown, ...]
    home: str = "en"

    @classmethod
    def of(cls, block: ClipBlock, page: str, artifacts: Artifacts, home: str = "en") -> Embedding:
        """Look up what a block embeds; raises TorchReelError."""
        where = f"{page}:{block.line}"
        files = artifacts.clip(block.script, block.cell, where)
        trace = artifacts.trace(block.script, where)
        cell = artifacts.cell(block.script, block.cell, where)
        embedding = cls(block, page, trace, cell, files, shown_statements(trace, cell), home)
        embedding.items()
        return embedding

    def items(self) -> dict[int, Item]:
        """Return the transcript's items by statement; raises TorchReelError on a wrong count."""
        return pair(self.block.items, self.shown, f"{self.page}:{self.block.line}")

    def figure(self, quotes: Quotes, project: Path, url: str) -> Figure:
        """Return the figure; ``url`` leads from the page to the folder of clip files."""
        language = language_of(self.page, self.home)
        captions = dict(self._translations(project, quotes))
        captions[language] = self._captions(self.items(), quotes)
        code = "; ".join(each.statement.text for each in self.shown)
        words = LANGUAGES[language]
        written = quotes.prose(self.block.options.get("alt", ()), self._moment())
        return Figure(
            trace=self.trace,
            cell=self.cell,
            files=self.files,
            words=words,
            captions=captions,
            alt=_plain_text(quotes.plain(written)) or words.animation.format(code=code),
            url=lambda kind: f"{url}/{clip_file(self.files, kind)}",
        )

    def transcript(self, figure: Figure, quotes: Quotes) -> Element:
        """Return the transcript: a list of what each statement does, Markdown still to be read."""
        items = self.items()

        def fill(parent: Element, shown: Sequence[Shown]) -> Element:
            for each in shown:
                number = each.statement.number
                row = SubElement(parent, "li", id=f"{self.cell.name}-{number}")
                row.set("data-statement", str(number))
                row.set("data-cues", " ".join(map(str, figure.cues_of(number))))
                text = SubElement(row, "span")
                if number in items:
                    text.text = quotes.prose(items[number].prose, self._moment(number))
                else:
                    text.text = AtomicString(figure.statement_caption(number))
                if each.body:
                    fill(SubElement(row, "ol"), each.body)
            return parent

        label = figure.words.transcript
        root = Element("ol", {"class": "tr-transcript", "aria-label": label})
        return fill(root, self.shown)

    def _moment(self, statement: int | None = None) -> Moment:
        return Moment(self.block.script, self.cell.name, statement)

    def _captions(self, items: Mapping[int, Item], quotes: Quotes) -> dict[int, str]:
        return {
            number: quotes.plain(_plain_text(quotes.prose(item.prose, self._moment(number))))
            for number, item in items.items()
        }

    def _translations(self, project: Path, quotes: Quotes) -> Iterator[tuple[str, dict[int, str]]]:
        """Yield the captions that the page's other languages write for the same clip."""
        for language in LANGUAGES.keys() - {language_of(self.page, self.home)}:
            page = in_language(self.page, language, self.home)
            if not (project / page).is_file():
                continue
            for piece in parse((project / page).read_text(encoding="utf-8-sig"), page):
                if isinstance(piece, ClipBlock) and piece.items and self._same(piece):
                    try:
                        items = pair(piece.items, self.shown, page)
                    except TorchReelError:
                        continue  # that page's own rendering says so
                    yield language, self._captions(items, quotes.silent(page))

    def _same(self, other: ClipBlock) -> bool:
        return (other.script, other.cell) == (self.block.script, self.block.cell)


def pair(items: Sequence[Item], shown: Sequence[Shown], where: str) -> dict[int, Item]:
    """Return the item of each statement; raises TorchReelError where their numbers differ."""
    if not items:
        return {}
    paired: dict[int, Item] = {}
    if not _pair(items, shown, paired):
        told = counted(_count(items), "item")
        what = f"the transcript has {told} for {counted(_count(shown), 'statement')}"
        raise TorchReelError(
            Problem(where, what, "Write one item each, or none at all:\n" + _outline(shown))
        )
    return paired


def clip_file(files: ClipFiles, kind: str) -> str:
    """Return the readable name of a clip's file in the site: ``shape/reshape-1a2b3c4d.mp4``."""
    clip = files.clip
    folder = clip.script.rpartition("/")[0].rpartition("/")[2]
    other = "-opening" if kind == "opening" else ""
    name = f"{clip.cell}-{clip.digest[:8]}{other}{files.path(kind).suffix}".replace(" ", "-")
    return f"{folder}/{name}" if folder else name


def in_language(page: str, language: str, home: str = "en") -> str:
    """Return the path of the same page in another language."""
    stem = page.removesuffix(".md").removesuffix(f".{language_of(page, home)}")
    return f"{stem}.md" if language == home else f"{stem}.{language}.md"


def _pair(items: Sequence[Item], shown: Sequence[Shown], paired: dict[int, Item]) -> bool:
    if len(items) != len(shown):
        return False
    for item, each in zip(items, shown, strict=True):
        paired[each.statement.number] = item
        if not _pair(item.items, each.body, paired):
            return False
    return True


def _count(items: Sequence[Item] | Sequence[Shown]) -> int:
    return sum(1 + _count(each.items if isinstance(each, Item) else each.body) for each in items)


def _outline(shown: Sequence[Shown], indent: str = "    ") -> str:
    lines = []
    for number, each in enumerate(shown, 1):
        lines.append(f"{indent}{number}. {each.statement.text.splitlines()[0]}")
        if each.body:
            lines.append(_outline(each.body, indent + "    "))
    return "\n".join(lines)


def _plain_text(text: str) -> str:
    """Return what a line of Markdown says, without its markup."""
    return unescape(_ANY_TAG.sub("", markdown.markdown(text))).strip()
