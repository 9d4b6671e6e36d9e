"""The words that a clip needs in each language of a page, and captions made from a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torchreel.records import Cue, Run, Step, TensorRecord, Trace
from torchreel.site.references import shape_text


@dataclass(frozen=True)
class Words:
    """One language: labels, and sentences with ``{op}``, ``{name}``, ``{before}``, ``{after}``."""

    language: str
    label: str
    chapters: str
    transcript: str
    code: str
    tensors: str
    after_line: str
    prints: str
    player: str
    play: str
    pause: str
    previous: str
    next: str
    step: str
    speed: str
    captions: str
    screen: str
    seek: str
    line: str
    copy: str
    copied: str
    lesson: str
    minutes: str
    done: str
    progress: str
    reset: str
    animation: str
    lap: str
    laps: str
    printed: str
    steps: str
    made: str
    moved: str
    added: str
    removed: str
    turned: str
    kept: str
    result: str
    join: str


ENGLISH = Words(
    language="en",
    label="English",
    chapters="Lines",
    transcript="What happens, line by line",
    code="Code",
    tensors="When the cell ends",
    after_line="After this line",
    prints="Printed",
    player="Player",
    play="Play",
    pause="Pause",
    previous="Previous step",
    next="Next step",
    step="Stop after each line",
    speed="Speed",
    captions="Captions",
    screen="Full screen, with the code",
    seek="Position",
    line="Go to line {line}",
    copy="Copy the code",
    copied="Copied",
    lesson="Lesson {number}",
    minutes="about {minutes} min",
    done="Done",
    progress="{done} of {all} lessons done",
    reset="Start over",
    animation="Animation of {code}",
    lap="Lap {lap}: ",
    laps="Laps {lap} to {last}: ",
    printed="Prints {printed}.",
    steps="{count} operations run.",
    made="{op} makes {name}, a tensor of shape {after}.",
    moved="{op} keeps the {numel} numbers in their order and gives them the shape {after}.",
    added="{op} adds a dimension of size 1: {before} becomes {after}.",
    removed="{op} takes away a dimension of size 1: {before} becomes {after}.",
    turned="{op} turns {before} into {after}.",
    kept="{op} gives {name} the shape {after}, like its input.",
    result="the result",
    join=" ",
)

JAPANESE = Words(
    language="ja",
    label="日本語",
    chapters="行",
    transcript="1行ずつの動き",
    code="コード",
    tensors="このセルのあと",
    after_line="この行のあと",
    prints="表示",
    player="プレーヤー",
    play="再生",
    pause="一時停止",
    previous="前のステップ",
    next="次のステップ",
    step="1行ずつ止める",
    speed="再生速度",
    captions="字幕",
    screen="コードごと全画面",
    seek="再生位置",
    line="{line} 行目へ",
    copy="コードをコピー",
    copied="コピーしました",
    lesson="レッスン {number}",
    minutes="約{minutes}分",
    done="完了",
    progress="{all} レッスン中 {done} レッスン完了",
    reset="最初からやり直す",
    animation="{code} のアニメーション",
    lap="{lap} 周目：",
    laps="{lap}〜{last} 周目：",
    printed="{printed} と表示されます。",
    steps="{count} 個の計算が行われます。",
    made="{op} で、形が {after} の {name} ができます。",
    moved="{op} で、{numel} 個の数の並び順はそのままに、形が {after} になります。",
    added="{op} で大きさ 1 の次元が増え、{before} が {after} になります。",
    removed="{op} で大きさ 1 の次元が消え、{before} が {after} になります。",
    turned="{op} で、{before} から {after} ができます。",
    kept="{op} で {name} ができます。形は {after} のままです。",
    result="結果",
    join="",
)

LANGUAGES: dict[str, Words] = {"en": ENGLISH, "ja": JAPANESE}

_RESHAPES = {"reshape", "view", "flatten", "unflatten", "ravel", "view_as", "reshape_as"}
_SENTENCES = 3
"""A statement of more steps is summed up in one sentence."""


def language_of(page: str) -> str:
    """Return a page's language by its suffix: ``index.ja.md`` is Japanese, ``index.md`` English."""
    suffix = page.removesuffix(".md").rpartition(".")[2]
    return suffix if suffix in LANGUAGES else "en"


def statement_caption(trace: Trace, run: Run, words: Words) -> str:
    """Return what one run of a statement did, in words made from its steps."""
    steps = [trace.steps[number] for number in run.steps]
    if len(steps) > _SENTENCES:
        sentences = [words.steps.format(count=len(steps))]
        steps = steps[-1:]
    else:
        sentences = []
    sentences += [text for step in steps if (text := _sentence(trace, run, step, words))]
    if run.printed.strip():
        sentences.append(words.printed.format(printed=run.printed.strip()))
    return words.join.join(sentences)


def lap_prefix(cue: Cue, looped: bool, words: Words) -> str:
    """Return which laps of a loop a cue shows; nothing outside of loops."""
    if not looped:
        return ""
    if cue.laps > 1:
        return words.laps.format(lap=cue.lap, last=cue.lap + cue.laps - 1)
    return words.lap.format(lap=cue.lap)


def _sentence(trace: Trace, run: Run, step: Step, words: Words) -> str:
    if not step.results:
        return ""
    after = trace.tensor(step.results[0])
    before = [trace.tensor(each.tensor) for each in step.operands if each.tensor is not None]
    names = [name for name, tensor in run.changed.items() if tensor == after.id]
    op = step.op.rpartition(".")[2]
    return _template(op, before, after, words).format(
        op=op,
        name=names[0] if names else words.result,
        numel=after.numel,
        before=", ".join(shape_text(tensor.shape) for tensor in before),
        after=shape_text(after.shape),
    )


def _template(op: str, before: Sequence[TensorRecord], after: TensorRecord, words: Words) -> str:
    if not before:
        return words.made
    alone = before[0] if len(before) == 1 else None
    if alone is None:
        return words.turned
    if op in _RESHAPES and (alone.numel, alone.dtype) == (after.numel, after.dtype):
        return words.moved
    if op == "unsqueeze":
        return words.added
    if op == "squeeze" and len(alone.shape) - len(after.shape) == 1:
        return words.removed
    return words.kept if alone.shape == after.shape else words.turned
