"""The Python-Markdown extension: clip blocks become figures, references become numbers.

Both are taken out of the page's text first, which is where lines can still be counted; a mark
stands for each until the page is HTML.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.util import AtomicString

from torchreel.records import Problem, TorchReelError
from torchreel.site.artifacts import Artifacts, ClipFiles, ReportedError
from torchreel.site.card import Lesson, fill_card, picture, progress
from torchreel.site.embedding import Embedding
from torchreel.site.figure import Figure
from torchreel.site.japanese import keep_together
from torchreel.site.quotes import Quotes
from torchreel.site.source import ClipBlock, Escape, Piece, Reference, Slashes, parse
from torchreel.site.words import language_of
from torchreel.store import Store

log = logging.getLogger(__name__)


def _ignore(*_: object) -> None:
    return None


class TorchReelExtension(Extension):
    """Embeds clips and quotes traces in Markdown; reads the artifacts under ``build/``.

    ``page`` is the page's path relative to ``project``, ``clips_url`` the URL (relative to the
    page) of the folder that holds the clip files, ``first_line`` the source line on which the text
    starts, ``numbers`` the number of each lesson (a folder) in the course. ``report`` is called
    with each new Problem, ``used`` with each clip that is shown and its alternative text, and
    ``broken`` with each Problem in whose place the page has a placeholder. ``language`` is that of
    pages without a suffix such as ``.ja``.
    """

    def __init__(self, **options: Any) -> None:
        self.config = {
            "page": ["index.md", "path of the page, relative to the project"],
            "project": [".", "folder that holds build/"],
            "clips_url": ["clips", "URL of the folder of clip files, relative to the page"],
            "first_line": [1, "line of the source file on which the text starts"],
            "numbers": [{}, "number of each lesson in the course, by its folder in the project"],
            "report": [log.warning, "called with each new Problem"],
            "used": [_ignore, "called with each clip that is shown and its alternative text"],
            "broken": [_ignore, "called with each Problem that has a placeholder"],
            "language": ["en", "language of pages whose name has no suffix of a language"],
        }
        super().__init__(**options)

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 (Python-Markdown's name)
        """Register the three processors, which share the page."""
        page = _Page(lambda text: self.options(md, text))
        # After whitespace is normalised (30), before fenced code (25) and raw HTML (20).
        md.preprocessors.register(_TakeOut(md, page), "torchreel", 28)
        # Before indented code is not possible: there a block is code (80).
        md.parser.blockprocessors.register(_PutFigures(md, page), "torchreel", 75)
        md.postprocessors.register(_PutQuotes(md, page), "torchreel", 5)

    def options(self, md: markdown.Markdown, text: str) -> Options:
        """Return the options for the page of this text, which is about to be converted."""
        return Options(**self.getConfigs())


@dataclass(frozen=True)
class Options:
    """The options of :class:`TorchReelExtension`."""

    page: str
    project: str | Path
    clips_url: str
    first_line: int
    numbers: Mapping[str, int]
    report: Callable[[Problem], None]
    used: Callable[[ClipFiles, str], None]
    broken: Callable[[Problem], None]
    language: str


class _Page:
    """One conversion of a page, shared by the processors; ``find`` returns a text's options."""

    def __init__(self, find: Callable[[str], Options]) -> None:
        self._find = find
        self.start("")

    def start(self, text: str) -> None:
        """Forget the last conversion."""
        self.options = self._find(text)
        self.project = Path(self.options.project)
        self.artifacts = Artifacts(Store(self.project / "build"))
        self.quotes = Quotes(self.artifacts, self.options.page, self.tell)
        self.blocks: dict[str, ClipBlock] = {}
        self.slashes: list[Slashes] = []
        self.clips: list[str] = []
        self.cards = 0
        self.told: list[Problem] = []

    def tell(self, problem: Problem, known: bool = False) -> None:
        """Tell of a problem that has a placeholder on the page."""
        self.told.append(problem)
        self.options.broken(problem)
        if not known:
            self.options.report(problem)

    def text(self, piece: Piece) -> str:
        """Return the Markdown that takes a piece's place."""
        match piece:
            case ClipBlock():
                mark = self.quotes.block(piece)
                self.blocks[mark] = piece
                return f"\n\n{piece.indent}{mark}\n\n"
            case Reference() | Escape():
                return self.quotes.prose((piece,), self.quotes.above)
            case Slashes():
                self.slashes.append(piece)
                return piece.raw
        return piece

    def leftovers(self, html: str) -> None:
        """Tell of the lines with ``///`` that no extension understood."""
        for piece in list(self.slashes):
            if escape(piece.raw.strip(), quote=False) in html:
                self.slashes.remove(piece)
                where = f"{self.options.page}:{piece.line}"
                what = f"`{piece.raw.strip()}` is no block that any extension knows"
                self.tell(Problem(where, what, "A clip is `/// clip | cell`, closed by `///`."))


class _TakeOut(Preprocessor):
    def __init__(self, md: markdown.Markdown, page: _Page) -> None:
        super().__init__(md)
        self.page = page

    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        self.page.start(text)
        options = self.page.options
        pieces = parse(text, options.page, options.first_line)
        return "".join(self.page.text(piece) for piece in pieces).split("\n")


class _PutFigures(BlockProcessor):
    def __init__(self, md: markdown.Markdown, page: _Page) -> None:
        super().__init__(md.parser)
        self.md, self.page = md, page

    def test(self, parent: Element, block: str) -> bool:
        return block.strip() in self.page.blocks

    def run(self, parent: Element, blocks: list[str]) -> None:
        block = self.page.blocks[blocks.pop(0).strip()]
        for problem in block.problems:
            self.page.tell(problem)
            _box(parent, problem)
        if not block.problems:
            self._embed(parent, block)

    def _embed(self, parent: Element, block: ClipBlock) -> None:
        options = self.page.options
        try:
            embedding = Embedding.of(block, options.page, self.page.artifacts, options.language)
        except TorchReelError as error:
            self.page.tell(error.problem, known=isinstance(error, ReportedError))
            _box(parent, error.problem)
            return
        if problem := embedding.files.problem:
            self.page.tell(problem, known=True)
            _box(parent, problem)
        self._fill(parent, embedding)

    def _fill(self, parent: Element, embedding: Embedding) -> None:
        quotes, options = self.page.quotes, self.page.options
        before = len(self.page.told)
        figure = embedding.figure(quotes, self.page.project, options.clips_url)
        options.used(embedding.files, figure.alt)
        for problem in self.page.told[before:]:
            _box(parent, problem)
        show = "".join(map(str, embedding.block.options.get("show", ("all",))))
        if show == "card":
            self._card(parent, embedding, figure)
            return
        clip = SubElement(parent, "torchreel-clip", {"class": "tr-clip", "data-show": show})
        if embedding.cell.name not in self.page.clips:
            self.page.clips.append(embedding.cell.name)
            clip.set("id", f"clip-{embedding.cell.name}")
        frame = SubElement(clip, "figure", {"class": "tr-figure"})
        frame.text = self.md.htmlStash.store(figure.html(show))
        if show == "all":
            clip.set("data-clip", figure.key)
            frame.append(embedding.transcript(figure, quotes))

    def _card(self, parent: Element, embedding: Embedding, figure: Figure) -> None:
        options, block = self.page.options, embedding.block
        where = f"{options.page}:{block.line}"
        try:
            lesson = Lesson.of(
                block.script, figure.words, self.page.project, options.numbers, where
            )
        except TorchReelError as error:
            self.page.tell(error.problem)
            _box(parent, error.problem)
            return
        if not self.page.cards:
            SubElement(parent, "div").text = self.md.htmlStash.store(progress(figure.words))
        self.page.cards += 1
        card = SubElement(parent, "torchreel-card", {"class": "tr-card"})
        card.set("data-lesson", lesson.folder)
        SubElement(card, "div").text = self.md.htmlStash.store(picture(figure))
        fill_card(card, lesson, options.page, figure.words)


class _PutQuotes(Postprocessor):
    def __init__(self, md: markdown.Markdown, page: _Page) -> None:
        super().__init__(md)
        self.page = page

    def run(self, text: str) -> str:
        self.page.leftovers(text)
        options = self.page.options
        html = self.page.quotes.html(text)
        return keep_together(html) if language_of(options.page, options.language) == "ja" else html


def _box(parent: Element, problem: Problem) -> None:
    """Show a problem where the clip would be."""
    box = SubElement(parent, "div", {"class": "tr-problem", "role": "note"})
    for text in (f"{problem.where}: {problem.what}", problem.remedy):
        if text:
            SubElement(box, "p").text = AtomicString(text)
