"""The Markdown extension as a site lists it: with the plugin, or all by itself.

Where the plugin runs, it has made the clips, tells the extension which page comes next and
publishes. Where it does not (it is not listed, or the builder knows no plugins of MkDocs), the
extension asks the builder for the page, makes what is stale before the first page that needs it,
and puts clips, style and player into the site.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import markdown
from markdown.postprocessors import Postprocessor

from torchreel import plan
from torchreel.records import Problem
from torchreel.report import Terminal
from torchreel.site import extension
from torchreel.site.artifacts import ClipFiles
from torchreel.site.assets import assets
from torchreel.site.embedding import clip_file
from torchreel.site.host import Host
from torchreel.site.source import front_matter, parse

_KINDS = ("mp4", "gif", "poster", "opening")
_ELEMENT = "<torchreel-"


class TorchReelExtension(extension.TorchReelExtension):
    """Embeds clips and quotes traces; without the plugin it also makes and publishes them.

    ``quality`` is that of the clips it makes: ``draft``, ``standard`` or ``final``.
    """

    def __init__(self, **options: Any) -> None:
        self._quality = options.pop("quality", "standard")
        self._alone = "page" not in options
        super().__init__(**options)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (Python-Markdown's name)
        """Register the processors; the style and the player go into the page itself."""
        super().extendMarkdown(md)
        if self._alone:
            # After the quotes are put (5): nothing else is done to the page.
            md.postprocessors.register(_PutAssets(md), "torchreel-assets", 4)

    def options(self, md: markdown.Markdown, text: str) -> extension.Options:
        """Return the options for the page of this text, which is about to be converted."""
        host = Host.of(md) if self._alone and text else None
        if host is None:
            return super().options(md, text)
        project = plan.Project.of(host.root, host.docs)
        log = logging.getLogger(host.log)

        def report(problem: Problem) -> None:
            log.error("%s", problem)

        source = project.relative(host.page.resolve())
        if any(not isinstance(piece, str) for piece in parse(text, source)):
            for problem in _make(project, self._quality):
                report(problem)
        return extension.Options(
            page=source,
            project=project.root,
            clips_url=f"{host.up}clips",
            first_line=_first_line(host.page),
            numbers={},
            report=report,
            used=lambda files, alt: _publish(files, host.site),
            broken=lambda problem: None,
            language=host.language,
        )


class _PutAssets(Postprocessor):
    """Puts style and player at the top of a page with clips, and into the site."""

    def run(self, text: str) -> str:
        host = Host.of(self.md)
        if host is None or _ELEMENT not in text:
            return text
        folder = host.site / "assets"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in assets().items():
            if not (folder / name).is_file():  # its name changes with it
                (folder / name).write_text(content, encoding="utf-8")
        style, player = (escape(f"{host.up}assets/{name}") for name in assets())
        head = f'<link rel="stylesheet" href="{style}"><script src="{player}" defer></script>\n'
        return head + text


_making = threading.Lock()
_seen: dict[Path, frozenset[tuple[str, int]]] = {}


def _make(project: plan.Project, quality: str) -> tuple[Problem, ...]:
    """Make what is stale, once for all pages of a build; return what is wrong.

    Whether something is stale is decided by digests, as ever. Times only tell whether anything was
    saved since this process last looked: no builder says where a build begins.
    """
    with _making:
        saved = frozenset(_saved(project))
        if _seen.get(project.root) == saved:
            return ()
        with Terminal() as progress:
            made = plan.build(project, progress=progress, quality=quality)
        _seen[project.root] = saved
        return made.problems


def _saved(project: plan.Project) -> Iterator[tuple[str, int]]:
    for folder in (project.lessons, project.scenes):
        for path in folder.rglob("*"):
            if path.suffix != ".pyc" and path.is_file():
                yield str(path), path.stat().st_mtime_ns


def _publish(files: ClipFiles, site: Path) -> None:
    for kind in _KINDS:
        target = site / "clips" / clip_file(files, kind)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.path(kind), target)


def _first_line(page: Path) -> int:
    """Return the line on which a page's text starts: builders take its front matter away."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return front_matter(text).count("\n") + 1
