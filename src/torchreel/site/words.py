"""The words that a clip needs in each language of a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One language: labels, and sentences with ``{op}``, ``{name}``, ``{before}``, ``{after}``.

    A sentence written ``one | many`` is filled in by :func:`numbered`.
    """

    language: str
    label: str
    chapters: str
    transcript: str
    code: str
    tensors: str
    after_line: str
    shared_memory: str
    prints: str
    raises: str
    player: str
    play: str
    pause: str
    previous: str
    next: str
    step: str
    speed: str
    captions: str
    choose: str
    failed: str
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
    again: str
    printed: str
    steps: str
    made: str
    moved: str
    added: str
    removed: str
    turned: str
    read: str
    ran: str
    unnamed: str
    comma: str
    also: str
    result: str
    backward: str
    cleared: str
    updated: str
    through: str
    written: str
    cast: str
    sent: str
    raised: str
    value: str
    looped: str
    went: str
    join: str
    recorded: str


ENGLISH = Words(
    language="en",
    label="English",
    chapters="Lines",
    transcript="What happens, line by line",
    code="Code",
    tensors="When the cell ends",
    after_line="After this line",
    shared_memory="same memory:",
    prints="Printed",
    raises="Raises",
    player="Player",
    play="Play",
    pause="Pause",
    previous="Previous step",
    next="Next step",
    step="Stop after each line",
    speed="Speed",
    captions="Captions",
    choose="Play it, or choose a line of the code.",
    failed="The clip could not be loaded. Press play to try again.",
    screen="Full screen, with the code",
    seek="Position",
    line="Go to line {line}",
    copy="Copy the code, with the lines above it",
    copied="Copied",
    lesson="Lesson {number}",
    minutes="about {minutes} min",
    done="Done",
    progress="{done} of {all} lessons done",
    reset="Start over",
    animation="Animation of {code}",
    lap="Lap {lap}: ",
    laps="Laps {lap} to {last}: ",
    again="the same again.",
    printed="Prints {printed}.",
    steps="{count} operations run.",
    made="{op} makes {results}.",
    moved="{op} keeps the {numel} numbers in their order and gives them the shape {after}.",
    added="{op} adds a dimension of size 1: {before} becomes {after}.",
    removed="{op} takes away a dimension of size 1: {before} becomes {after}.",
    turned="{op} makes {results} from {sources}.",
    read="{op} reads {sources}.",
    ran="{op} is called.",
    unnamed="a tensor {shape}",
    comma=", ",
    also=" and ",
    result="the result",
    backward="backward() goes from {name} back along the graph and adds to .grad of {leaves}.",
    cleared="{op} empties the gradients.",
    updated="{op} changes {count} parameter a little (lr {lr})."
    " | {op} changes {count} parameters a little (lr {lr}).",
    through="{op} makes {results} from {sources}, through {modules}.",
    written="{op} writes into {name}; its shape stays {after}.",
    cast="{op} turns {old} numbers into {new}.",
    sent="{op} moves {name} from {old} to {new}.",
    raised="{op} raises {type}: {message}",
    recorded="Recorded on {device}, {date}.",
    value="{name} is {value}.",
    looped="The loop runs {count} lap. | The loop runs {count} laps.",
    went="{name} goes from {first} to {last}.",
    join=" ",
)

JAPANESE = Words(
    language="ja",
    label="日本語",
    chapters="行",
    transcript="1 行ずつの動き",
    code="コード",
    tensors="このセルのあと",
    after_line="この行のあと",
    shared_memory="同じメモリ:",
    prints="表示",
    raises="エラー",
    player="プレーヤー",
    play="再生",
    pause="一時停止",
    previous="前のステップ",
    next="次のステップ",
    step="1 行ずつ止める",
    speed="再生速度",
    captions="字幕",
    choose="再生するか、コードの行を選んでください。",
    failed="動画を読み込めませんでした。もう一度、再生を押してください。",
    screen="コードごと全画面",
    seek="再生位置",
    line="{line} 行目へ",
    copy="コードを、その上の行も含めてコピー",
    copied="コピーしました",
    lesson="レッスン {number}",
    minutes="約 {minutes} 分",
    done="完了",
    progress="{all} レッスン中 {done} レッスン完了",
    reset="最初からやり直す",
    animation="{code} のアニメーション",
    lap="{lap} 周目：",
    laps="{lap}〜{last} 周目：",
    again="くり返しです。",
    printed="{printed} と表示されます。",
    steps="{count} 個の計算が行われます。",
    made="{op} で {results} ができます。",
    moved="{op} で、{numel} 個の数の並び順はそのままに、形が {after} になります。",
    added="{op} で大きさ 1 の次元が増え、{before} が {after} になります。",
    removed="{op} で大きさ 1 の次元が消え、{before} が {after} になります。",
    turned="{op} で、{sources} から {results} ができます。",
    read="{op} が {sources} を読みます。",
    ran="{op} を呼び出します。",
    unnamed="{shape} のテンソル",
    comma="、",
    also=" と ",
    result="結果",
    backward="backward() が {name} からグラフを逆にたどり、{leaves} の .grad に勾配を足します。",
    cleared="{op} で勾配を空にします。",
    updated="{op} が {count} 個のパラメータを少しだけ動かします（lr {lr}）。",
    through="{op} で、{sources} が {modules} を通って {results} になります。",
    written="{op} が {name} を直接書きかえます。形は {after} のままです。",
    cast="{op} で、数の型が {old} から {new} に変わります。",
    sent="{op} で、{name} が {old} から {new} へ移ります。",
    raised="{op} で {type} が起きます：{message}",
    recorded="{date} に {device} で記録しました。",
    value="{name} は {value} です。",
    looped="ループが {count} 周します。",
    went="{name} は {first} から {last} になります。",
    join="",
)

LANGUAGES: dict[str, Words] = {"en": ENGLISH, "ja": JAPANESE}


def language_of(page: str, home: str = "en") -> str:
    """Return a page's language by its suffix (``index.ja.md`` is Japanese), else ``home``."""
    suffix = page.removesuffix(".md").rpartition(".")[2]
    return suffix if suffix in LANGUAGES else home


def numbered(sentence: str, count: int, **facts: str) -> str:
    """Return a sentence filled in; of one written ``one | many`` the side that the count asks for.

    A language without a plural writes one side.
    """
    one, _, many = sentence.partition(" | ")
    return (many if many and count != 1 else one).format(count=count, **facts)


def counted(number: int, noun: str) -> str:
    """Return how many there are, in English: ``1 item``, ``2 items``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
