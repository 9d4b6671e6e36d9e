"""The HTML of a clip: video with its tracks, the code of the cell, what its tensors are.

The player of the page needs no more than this: each line of code is one element with the numbers
of its line and statement, and a metadata track says what holds while each cue plays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from torchreel.records import Cell, Cue, Statement, Trace
from torchreel.site.artifacts import ClipFiles
from torchreel.site.references import DATA_LIMIT, shape_text
from torchreel.site.statements import last_run, names_at, names_of_cell, run_index
from torchreel.site.vtt import TimedText, data_track, data_url, text_track
from torchreel.site.words import LANGUAGES, Words, lap_prefix, statement_caption


@dataclass(frozen=True)
class Figure:
    """A clip as a page shows it.

    ``captions`` maps a language to the captions that were written in it, by statement number; what
    is missing is generated. ``url`` turns ``mp4``, ``gif`` and ``poster`` into a URL.
    """

    trace: Trace
    cell: Cell
    files: ClipFiles
    words: Words
    captions: Mapping[str, Mapping[int, str]]
    alt: str
    url: Callable[[str], str]

    def html(self, show: str) -> str:
        """Return the figure; ``show`` is ``all``, ``video`` or ``poster``."""
        media = self._poster() if show == "poster" else self._video()
        media = f'<div class="tr-media">{media}</div>'
        if show != "all":
            return f'<div class="tr-frame">{media}</div>'
        return (
            f'<div class="tr-frame">{media}<div class="tr-panel">{self._code()}{self._tensors()}'
            f"</div>{self._bar()}</div>"
        )

    def caption(self, cue: Cue, language: str) -> str:
        """Return the caption of a cue: as it was written, else made from what the cue shows."""
        words = LANGUAGES[language]
        prefix = lap_prefix(cue, self._looped(cue.statement), words)
        if written := self.captions.get(language, {}).get(cue.statement):
            return prefix + written
        index = run_index(self.trace, self.cell, cue)
        run = None if index is None else self.trace.runs[index]
        return prefix + (statement_caption(self.trace, run, words) if run else "")

    def statement_caption(self, statement: int) -> str:
        """Return the caption of a statement's last run, made from what it did."""
        run = last_run(self.trace, self.cell, statement)
        return statement_caption(self.trace, run, self.words) if run else ""

    def cues_of(self, statement: int) -> list[int]:
        """Return the numbers of the cues that show a statement."""
        return [cue.number for cue in self.files.clip.cues if cue.statement == statement]

    def _looped(self, number: int) -> bool:
        statements = {statement.number: statement for statement in self.cell.statements}
        found = statements.get(number)
        while found and found.parent is not None:
            found = statements[found.parent]
            if found.kind == "loop":
                return True
        return False

    def _video(self) -> str:
        clip = self.files.clip
        poster, mp4 = self.url("poster"), self.url("mp4")
        return (
            f'<video controls preload="none" playsinline width="{clip.width}"'
            f' height="{clip.height}" style="--tr-ratio: {clip.height / clip.width:g}"'
            f' poster="{escape(poster)}" src="{escape(mp4)}"'
            f' aria-label="{escape(self.alt)}">{self._tracks()}'
            f'<a href="{escape(mp4)}">{escape(self.alt)}</a></video>'
        )

    def _poster(self) -> str:
        clip = self.files.clip
        return (
            f'<img src="{escape(self.url("poster"))}" alt="{escape(self.alt)}" loading="lazy"'
            f' width="{clip.width}" height="{clip.height}">'
        )

    def _tracks(self) -> str:
        cues = self.files.clip.cues
        texts = {statement.number: statement.text for statement in self.cell.statements}
        chapters = [TimedText(each.start, each.end, texts.get(each.statement, "")) for each in cues]
        words = self.words
        tracks = [_track("chapters", words.language, words.chapters, text_track(chapters))]
        for each in sorted(LANGUAGES.values(), key=lambda each: each.language != words.language):
            lines = [
                TimedText(cue.start, cue.end, self.caption(cue, each.language)) for cue in cues
            ]
            tracks.append(_track("captions", each.language, each.label, text_track(lines)))
        moments = [(each.start, each.end, self._moment(each)) for each in cues]
        tracks.append(_track("metadata", words.language, "torchreel", data_track(moments)))
        return "".join(tracks)

    def _moment(self, cue: Cue) -> dict[str, Any]:
        """Return what the page shows while a cue plays: its lines, and the tensors after it."""
        index = run_index(self.trace, self.cell, cue)
        names = {} if index is None else names_at(self.trace, index)
        changed = {} if index is None else self.trace.runs[index].changed
        known = [name for name in names_of_cell(self.trace, self.cell) if name in names]
        known.sort(key=lambda name: name not in changed)
        lines = {each.number: each.lines for each in self.cell.statements}
        return {
            "step": cue.number,
            "statement": cue.statement,
            "lines": lines.get(cue.statement, ()),
            "lap": cue.lap,
            "laps": cue.laps,
            "changed": [name for name in known if name in changed],
            "vars": [self._variable(name, names[name]) for name in known],
        }

    def _variable(self, name: str, id: int) -> dict[str, Any]:
        tensor = self.trace.tensor(id)
        variable = {"name": name, "shape": list(tensor.shape), "dtype": tensor.dtype}
        values = self.trace.values.get(id)
        if values is not None and tensor.numel <= DATA_LIMIT and values.shape == tensor.shape:
            variable["data"] = _numbers(values)
        return variable

    def _code(self) -> str:
        source = highlight(
            self.cell.source, PythonLexer(stripnl=False), HtmlFormatter[str](nowrap=True)
        )
        owners = _owners(self.cell)
        shapes = self._shapes()
        lines = []
        for number, line in enumerate(source.removesuffix("\n").split("\n"), 1):
            owner = f' data-statement="{owners[number]}"' if number in owners else ""
            shape = f'<span class="tr-shape">{shapes[number]}</span>' if number in shapes else ""
            lines.append(
                f'<span class="tr-line" data-line="{number}"{owner}>'
                f'<span class="tr-text">{line}</span>{shape}</span>'
            )
        label = escape(f"{self.words.code}: {self.trace.script}, {self.cell.name}")
        return (
            f'<div class="tr-code highlight"><pre tabindex="0" role="region" aria-label="{label}">'
            f"<code>{''.join(lines)}</code></pre></div>"
        )

    def _shapes(self) -> dict[int, str]:
        """Return the note at the end of a line: the tensors its statement made."""
        notes: dict[int, list[str]] = {}
        for statement in self.cell.statements:
            run = last_run(self.trace, self.cell, statement.number)
            line = statement.lines[1] if statement.kind == "plain" else statement.lines[0]
            for name, tensor in (run.changed if run else {}).items():
                if tensor is not None:
                    shape = shape_text(self.trace.tensor(tensor).shape)
                    notes.setdefault(line, []).append(f"{escape(name)} {shape}")
        return {line: "&ensp;".join(texts) for line, texts in notes.items()}

    def _tensors(self) -> str:
        """Return what the cell's tensors are when it ends."""
        names = self.trace.names_after(self.cell.name)
        rows = [
            (name, self.trace.tensor(names[name]))
            for name in names_of_cell(self.trace, self.cell)
            if name in names
        ]
        items = "".join(
            f"<li><b>{escape(name)}</b> <span>{shape_text(tensor.shape)}</span>"
            f" <small>{escape(tensor.dtype)}</small></li>"
            for name, tensor in rows
        )
        label = f'<p class="tr-label">{escape(self.words.tensors)}</p>'
        return f'<div class="tr-vars">{label}<ul>{items}</ul></div>' if items else ""

    def _bar(self) -> str:
        script, _, name = self.trace.script.rpartition("/")
        folder = script.rpartition("/")[2]
        source = escape(f"{folder}/{name}" if folder else name)
        links = " ".join(
            f'<a href="{escape(self.url(kind))}" download>'
            f"{kind.upper()} <small>{_size(self.files.path(kind).stat().st_size)}</small></a>"
            for kind in ("mp4", "gif")
            if kind in self.files.clip.files
        )
        cell = escape(self.cell.name)
        return (
            f'<div class="tr-bar"><span class="tr-source">{source} <span># %% {cell}</span></span>'
            f'<span class="tr-files">{links}</span></div>'
        )


def _track(kind: str, language: str, label: str, text: str) -> str:
    return (
        f'<track kind="{kind}" srclang="{language}" label="{escape(label)}" src="{data_url(text)}">'
    )


def _owners(cell: Cell) -> dict[int, int]:
    """Return which statement each line belongs to; the innermost wins."""
    owners: dict[int, int] = {}
    for statement in sorted(cell.statements, key=_extent, reverse=True):
        for line in range(statement.lines[0], statement.lines[1] + 1):
            owners[line] = statement.number
    return owners


def _extent(statement: Statement) -> int:
    return statement.lines[1] - statement.lines[0]


def _numbers(values: np.ndarray[Any, np.dtype[np.generic]]) -> Any:
    """Return an array as lists; a float32 as the number that its shortest text names."""
    if values.ndim:
        return [_numbers(part) for part in values]
    return float(str(values[()])) if values.dtype.kind == "f" else values.item()


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
