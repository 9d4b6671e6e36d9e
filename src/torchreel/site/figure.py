"""The HTML of a clip: video with its tracks, the code of the cell, what its tensors are.

The player of the page needs no more than this: each line of code is one element with the numbers
of its line and statement, and a metadata track says what holds while each cue plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from torchreel.records import Cell, Cue, Trace
from torchreel.site.artifacts import ClipFiles
from torchreel.site.captions import lap_prefix, loop_caption, statement_caption
from torchreel.site.code import code
from torchreel.site.controls import button, controls
from torchreel.site.japanese import keep_counters
from torchreel.site.literals import shape_text
from torchreel.site.moments import State
from torchreel.site.payload import payload
from torchreel.site.reading import readable
from torchreel.site.statements import last_run, names_of_cell, run_index
from torchreel.site.vtt import TimedText, data_track, data_url, text_track
from torchreel.site.words import LANGUAGES, Words

_GLANCE = 0.5
"""Seconds: text that changes sooner only flickers."""


@dataclass(frozen=True)
class Figure:
    """A clip as a page shows it.

    ``captions`` maps a language to the captions that were written in it, by statement number; what
    is missing is generated. ``url`` turns ``mp4``, ``gif``, ``poster`` and ``opening`` into a URL.
    """

    trace: Trace
    cell: Cell
    files: ClipFiles
    words: Words
    captions: Mapping[str, Mapping[int, str]]
    alt: str
    url: Callable[[str], str]

    def html(self, show: str) -> str:
        """Return the figure; ``show`` is one of ``SHOW``."""
        recorded = self._recorded()
        if show == "poster":
            return _frame(_film(self.poster(), recorded))
        if show == "loop":
            return _frame(
                _film(self._video(loops=True), self._loop_button(), self._now(), recorded)
            )
        film = _film(self._video(), self._buttons(), self._caption(show), recorded)
        if show == "video":
            return _frame(film)
        panel = f'<div class="tr-panel">{self._code()}{self._values()}</div>'
        return _frame(film, panel, self._bar())

    @property
    def key(self) -> str:
        """The clip's name in the reader's progress: ``lessons/shape/lesson.py:reshape``."""
        return f"{self.trace.script}:{self.cell.name}"

    @property
    def ratio(self) -> str:
        """The height of the clip in widths, as CSS writes it."""
        return f"{self.files.clip.height / self.files.clip.width:g}"

    def caption(self, cue: Cue, language: str) -> str:
        """Return the caption of a cue: as it was written, else made from what the cue shows."""
        words = LANGUAGES[language]
        prefix = lap_prefix(cue, self._looped(cue.statement), words)
        if written := self.captions.get(language, {}).get(cue.statement):
            return prefix + written
        if cue.laps > 1 and self._kind(cue.statement) == "loop":
            return loop_caption(self.trace, self.cell.name, cue.statement, words)
        index = run_index(self.trace, self.cell, cue)
        run = None if index is None else self.trace.runs[index]
        return prefix + (statement_caption(self.trace, run, words) if run else "")

    def statement_caption(self, statement: int) -> str:
        """Return the caption of a statement's last run, made from what it did; of a loop all."""
        if self._kind(statement) == "loop":
            return loop_caption(self.trace, self.cell.name, statement, self.words)
        run = last_run(self.trace, self.cell, statement)
        return statement_caption(self.trace, run, self.words) if run else ""

    def _kind(self, statement: int) -> str:
        return next(each.kind for each in self.cell.statements if each.number == statement)

    def cues_of(self, statement: int) -> list[int]:
        """Return the numbers of the cues that show a statement."""
        return [cue.number for cue in self.files.clip.cues if cue.statement == statement]

    def _looped(self, number: int) -> bool:
        return bool(self.cell.loops_around(number))

    def _video(self, *, loops: bool = False) -> str:
        clip = self.files.clip
        # A reader may have been asked what will happen: before it plays, nothing has.
        poster, mp4 = self.url("poster" if loops else "opening"), self.url("mp4")
        kind = "loop muted" if loops else "controls"
        return (
            f'<video {kind} preload="none" playsinline width="{clip.width}"'
            f' height="{clip.height}" style="--tr-ratio: {self.ratio}"'
            f' poster="{escape(poster)}" src="{escape(mp4)}"'
            f' aria-label="{escape(self.alt)}">{self._tracks()}'
            f'<a href="{escape(mp4)}">{escape(self.alt)}</a></video>'
        )

    def poster(self) -> str:
        """Return the poster as an image."""
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
            lines = text_track(self._timed_captions(each))
            tracks.append(_track("captions", each.language, each.label, lines))
        moments = [(each.start, each.end, payload(self.trace, self.cell, each)) for each in cues]
        tracks.append(_track("metadata", words.language, "torchreel", data_track(moments)))
        return "".join(tracks)

    def _timed_captions(self, words: Words) -> Iterator[TimedText]:
        """Yield what can be read of each cue's caption; laps that rush by have one together."""
        kept = keep_counters if words.language == "ja" else str
        for rushes, together in groupby(self.files.clip.cues, key=_rushes_by):
            cues = list(together)
            if rushes:
                first, last = cues[0], cues[-1]
                laps = replace(first, laps=last.lap - first.lap + 1)
                text = lap_prefix(laps, True, words) + words.again
                yield TimedText(first.start, last.end, kept(text))
            else:
                for cue in cues:
                    text = readable(self.caption(cue, words.language), cue.end - cue.start)
                    yield TimedText(cue.start, cue.end, kept(text))

    def _recorded(self) -> str:
        """Return which device the trace was recorded on, and when; nothing where it ran here."""
        environment = self.trace.environment
        if not environment.recorded:
            return ""
        text = self.words.recorded.format(device=environment.named, date=environment.recorded)
        return f'<p class="tr-recorded">{escape(text)}</p>'

    def _buttons(self) -> str:
        return controls(self.words, [cue.end - cue.start for cue in self.files.clip.cues])

    def _caption(self, show: str) -> str:
        """Return the line of the captions: what can be done, until something plays."""
        words = self.words
        hint = words.choose if show == "all" else ""
        return (
            f'<p class="tr-caption" data-failed="{escape(words.failed)}"'
            f' data-hint="{escape(hint)}" hidden>{escape(hint)}</p>'
        )

    def _loop_button(self) -> str:
        words = self.words
        return button("toggle", words.play, "play", "pause", other=words.pause, kind="tr-float")

    def _now(self) -> str:
        """Return the line that a looping clip shows, which is the poster's until it plays."""
        clip = self.files.clip
        shown = [cue for cue in clip.cues if clip.poster in (None, cue.number)]
        texts = {statement.number: statement.text for statement in self.cell.statements}
        text = texts.get(shown[-1].statement, "") if shown else ""
        made = self._last_shapes(shown[-1]) if shown else ""
        return (
            f'<p class="tr-now-line"><code>{escape(text)}</code>'
            f' <span class="tr-shape">{escape(made)}</span></p>'
        )

    def _last_shapes(self, cue: Cue) -> str:
        run = last_run(self.trace, self.cell, cue.statement)
        changed = run.changed.items() if run else ()
        return "  ".join(
            f"{name} {shape_text(self.trace.tensor(tensor).shape)}"
            for name, tensor in changed
            if tensor is not None
        )

    def _code(self) -> str:
        return code(self.trace, self.cell, self.words, self.cues_of)

    def _values(self) -> str:
        """Return what the cell's tensors are when it ends."""
        names = State.after(self.trace, self.cell.name).tensors
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
        words = self.words
        return (
            f'<div class="tr-vars" data-after="{escape(words.after_line)}"'
            f' data-prints="{escape(words.prints)}" data-shared="{escape(words.shared_memory)}">'
            f'<p class="tr-label">{escape(words.tensors)}</p><ul>{items}</ul></div>'
        )

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
            '<div class="tr-bar" data-search-exclude>'
            f'<span class="tr-source">{source} <span># %% {cell}</span></span>'
            f'<span class="tr-files">{self._copy()}{links}</span></div>'
        )

    def _copy(self) -> str:
        """Return the button that copies the code with all that it needs to run."""
        above = "\n".join(self.trace.source.split("\n")[: self.cell.line - 1])
        if "__file__" in above:
            above = f"# Save this beside {self.trace.script}: it reads files there.\n{above}"
        return button(
            "copy",
            self.words.copy,
            "copy",
            "check",
            other=self.words.copied,
            kind="tr-small",
            above=above,
        )


def _rushes_by(cue: Cue) -> bool:
    """Tell whether a cue of a later lap is too short for a caption of its own."""
    return cue.lap > 1 and cue.laps == 1 and cue.end - cue.start < _GLANCE


def _frame(*parts: str) -> str:
    return f'<div class="tr-frame">{"".join(parts)}</div>'


def _film(picture: str, *parts: str) -> str:
    return f'<div class="tr-film"><div class="tr-media">{picture}</div>{"".join(parts)}</div>'


def _track(kind: str, language: str, label: str, text: str) -> str:
    return (
        f'<track kind="{kind}" srclang="{language}" label="{escape(label)}" src="{data_url(text)}">'
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
