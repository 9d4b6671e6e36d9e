"""What a line prints stands on stage: word for word, below the tensors, wrapped where rows are free
and cut where none is."""

from __future__ import annotations

import builtins
import functools
import io
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.stage.conftest import Staged, play_cell, write_cells
from torchreel.records import PRINTED_KEPT, Drawn, Run, Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.director import LessonScene
from torchreel.stage.tape import MemoryTape, OnTape
from torchreel.stage.terminal import screen
from torchreel.stage.text import wrap
from torchreel.tracer import trace_script

CELLS = {
    "first": "print('one', 'two')\nx = torch.arange(4)\ny = x + 1",
    "matrix": "x = torch.tensor([[0, 1, 2], [3, 4, 5], [6, 7, 8]])\nprint(x)\n"
    "print(x.shape, x.dtype)\n"
    "y = x + 1\nprint(y.sum())",
    "long": "w = torch.arange(300)\nprint(w)\nprint(w / 7)\nprint('a' * 200)\nv = w + 1",
    "wrapped": "w = torch.ones(3)\nprint('a' * 200)\nprint('b' * 3000 + '\\nc')\nv = w + 1",
    "hidden": "torch.manual_seed(0)\nrnn = torch.nn.RNN(3, 4)\no, h = rnn(torch.ones(2, 3))\n"
    "print(o)\nprint(h)",
    "tape": "x = torch.arange(12)\ny = x.view(3, 4)\nprint(y)\nprint('a\\tb\\n\\n  c…')\n"
    "z = y.reshape(2, 6)",
    "walk": "x = torch.arange(12).reshape(3, 4)\ny = x.flip(0)[1:, ::2]\nprint(y)\nz = y + 1",
    "windows": "a = torch.arange(6)\ng = a.unfold(0, 3, 1)\nprint(g)\nb = a.view(2, 3)",
    "cloned": "x = torch.arange(12).view(3, 4)\ny = x.clone()\nprint(y)\nz = y.view(2, 6)",
    "added": "a = torch.arange(6).reshape(2, 3)\nb = a + 10\nprint(a, b)\nc = a * b",
    "later": "x = torch.arange(6)\ny = x * 2\nprint(y.view(6, 1))\nz = y.view(2, 3)\nprint(z)\n"
    "u = torch.ones(2, 2)\nv = u.view(4)",
    "laps": "t = torch.tensor([1.0, 2.5, -3.0])\nfor each in t:\n    print(each.item(), 'in')\n"
    "    print(each > 0)\nu = t.abs()",
    "flood": "q = torch.ones(2)\nprint('x\\n' * 9000)\nprint()\nr = q + q",
    "blank": "q = torch.ones(3)\nprint()\nprint(' ')\nr = q + q",
    "scripts": "q = torch.ones(2)\nprint('損失は', 0.5, '한국어 中文')\n"
    "print('あ' * 60)\nr = q + q",
    "bars": "b = torch.arange(3)\nfor n in range(9):\n    b = b + 1\n"
    "    print(f'\\r\\x1b[32m{n + 1}\\x1b[0m of 9', end='')\nc = b + b",
    "graph": "g = torch.tensor([1.0, 2.0], requires_grad=True)\ns = (g * g).sum()\ns.backward()\n"
    "print(g.grad)",
}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("printed"), CELLS)


@pytest.fixture(scope="module")
def trace(script: Path) -> Trace:
    return trace_script(script, root=script.parent)


@pytest.fixture(scope="module")
def staged(trace: Trace) -> Staged:
    return functools.cache(functools.partial(play_cell, trace))


@pytest.fixture(scope="module")
def printed(script: Path) -> dict[int, list[str]]:
    """What each call of print wrote, by its line in the file, in a run without the tracer."""
    heard: dict[int, list[str]] = defaultdict(list)

    def hear(*values: Any, end: str = "\n") -> None:
        text = io.StringIO()
        builtins.print(*values, file=text, end=end)
        heard[sys._getframe(1).f_lineno].append(text.getvalue())

    exec(compile(script.read_text(), str(script), "exec"), {"print": hear})
    return heard


def _shown(scene: LessonScene, cue: int) -> list[Drawn]:
    return [each for each in scene.drawn if each.cue == cue and each.source == "printed"]


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_frame_can_be_read(staged: Staged, cell: str, artboard: str) -> None:
    assert staged(cell, artboard).warnings == []


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in ("graph", "bars")])
def test_what_is_shown_is_what_a_run_without_the_tracer_prints(
    trace: Trace, staged: Staged, printed: dict[int, list[str]], cell: str, artboard: str
) -> None:
    scene = staged(cell, artboard)
    slice_, source = trace.of_cell(cell), trace.cell(cell)
    first = {each.number: source.line + each.lines[0] - 1 for each in source.statements}
    compared, before = 0, dict[tuple[int, ...], str]()
    for cue in scene.cues:
        calls = printed.get(first[cue.statement], [])
        shown = _shown(scene, cue.number)
        if not calls or not calls[cue.lap - 1].strip():
            assert not shown or _joined(shown) == before, "as it was before"
            continue
        _compare(shown, calls[cue.lap - 1], slice_)
        compared, before = compared + 1, _joined(shown)
    assert compared >= (cell != "blank")


def _joined(shown: list[Drawn]) -> dict[tuple[int, ...], str]:
    """Return what is shown of each line, its rows put together."""
    found: dict[tuple[int, ...], str] = defaultdict(str)
    for each in shown:
        found[each.index] += each.text
    return dict(found)


def _compare(shown: list[Drawn], text: str, trace: Trace) -> None:
    """Compare every line on stage with what was printed, and count what is left out."""
    lines = [line.expandtabs().rstrip() for line in text.rstrip().split("\n")]
    more = [each.text for each in shown if re.match(r"⋮( \+\d+)?$", each.text)]
    rows = _joined([each for each in shown if each.text not in more])
    assert rows
    for (run, row), told in rows.items():
        assert trace.runs[run].printed == text[:PRINTED_KEPT]
        whole = lines[row]
        cut = told.endswith("…") and told != whole
        assert told == (whole[: len(told) - 1] + "…" if cut else whole)
    last = max(row for _, row in rows)
    blank = sum(not line for line in lines[: last + 1])
    assert len(rows) == last + 1 - blank, "no line is passed over"
    left_out = len(lines) - last - 1
    if len(text) > PRINTED_KEPT:
        assert more == ["⋮"]
    elif left_out:
        assert more == [f"⋮ +{left_out}"]
    else:
        assert more == []


def test_a_matrix_is_printed_whole_below_its_block(staged: Staged) -> None:
    scene = staged("matrix", "page")
    shown = [each.text for each in _shown(scene, 2)]
    assert shown == ["tensor([[0, 1, 2],", "        [3, 4, 5],", "        [6, 7, 8]])"]
    values = {each.text for each in scene.drawn if each.cue == 2 and each.source == "value"}
    assert values == {str(each) for each in range(9)}, "the tensor stays on stage"


def test_the_sentence_comes_back_after_what_was_printed(staged: Staged) -> None:
    scene = staged("matrix", "page")
    ops = [
        [each.text for each in scene.drawn if each.cue == cue.number and each.source == "op"]
        for cue in scene.cues
    ]
    assert ops[1] == ops[2] == []
    assert ops[3] == ["+"]
    assert all(each.source != "printed" for each in scene.drawn if each.cue == 4)


def test_an_act_with_a_picture_of_its_own_is_left_alone(staged: Staged) -> None:
    scene = staged("graph", "page")
    assert [each for each in scene.drawn if each.source == "printed"] == []


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_long_line_goes_on_in_the_next_row(staged: Staged, artboard: str) -> None:
    *full, last = [each.text for each in _shown(staged("wrapped", artboard), 2)]
    assert full
    assert len({len(each) for each in full}) == 1
    assert len(full[0]) > 40
    assert 0 < len(last) <= len(full[0])
    assert "".join([*full, last]) == "a" * 200


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_line_is_cut_with_dots_where_no_row_is_free(staged: Staged, artboard: str) -> None:
    *rows, last, after = [each.text for each in _shown(staged("wrapped", artboard), 3)]
    assert len(rows) >= 1
    assert all(each == "b" * len(last) for each in rows)
    assert last == "b" * (len(last) - 1) + "…"
    assert after == "c", "the row of the next line is not taken"


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_wide_character_takes_two_columns(staged: Staged, artboard: str) -> None:
    scene = staged("scripts", artboard)
    (short,), rows = _shown(scene, 2), _shown(scene, 3)
    assert short.text == "損失は 0.5 한국어 中文"
    assert len(rows) > 1
    assert "".join(each.text for each in rows) == "あ" * 60
    assert 15 < len(rows[0].text) < 60


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", [""]),
        ("abcd", ["abcd"]),
        ("abcde", ["abcd", "e"]),
        ("abcdabcd", ["abcd", "abcd"]),
        ("abcあい", ["abc", "あい"]),
        ("abce\u0301f", ["abce\u0301", "f"]),
        ("  a    b", ["  a ", "   b"]),
        ("ab 0.5", ["ab ", "0.5"]),
        ("a bcdef", ["a bc", "def"]),
    ],
)
def test_a_line_is_wrapped_at_words_or_as_on_a_terminal(text: str, pieces: list[str]) -> None:
    assert wrap(text, 4) == pieces


def test_a_character_that_no_font_has_is_told_once_a_clip(tmp_path: Path) -> None:
    cell = "n = '\U0010fffd'\nx = torch.arange(4)\nprint(n, x)\ny = x + 1\nz = y + 1"
    script = write_cells(tmp_path, {"sign": cell})
    scene = play_cell(trace_script(script, root=tmp_path), "sign", "film")
    assert len(scene.cues) == 4
    assert [(each.cue, each.what[:11]) for each in scene.warnings] == [(1, "no font on ")]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_progress_bar_is_its_last_line_and_the_lap_stays(staged: Staged, artboard: str) -> None:
    scene = staged("bars", artboard)
    laps = [
        [each.text for each in scene.drawn if (each.cue, each.source) == (cue, "lap")]
        for cue in (3, 5, 7)
    ]
    assert [_shown(scene, cue)[0].text for cue in (3, 5, 7)] == ["1 of 9", "2 of 9", "3 of 9"]
    assert laps == [["1/9"], ["2/9"], ["3/9"]]


def test_the_tape_makes_room_for_many_lines_and_comes_back(trace: Trace, staged: Staged) -> None:
    scene = staged("tape", "page")
    storage = next(each.storage for each in trace.of_cell("tape").tensors)
    assert len(_shown(scene, 3)) == 3, "every row of y"
    assert scene.stage.tape is not None
    assert scene.stage.tape.record.storage == storage
    assert scene.stage.tape in scene.mobjects


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", ["walk", "windows", "cloned"])
def test_what_stands_on_the_tape_goes_with_it(
    trace: Trace, cell: str, artboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cues: list[tuple[list[MemoryTape], list[OnTape]]] = []
    end_cue = LessonScene._end_cue

    def look(self: LessonScene, run: Run, start: float) -> None:
        end_cue(self, run, start)
        tapes = [each for each in self.mobjects if isinstance(each, MemoryTape)]
        cues.append((tapes, [each for each in self.mobjects if isinstance(each, OnTape)]))

    monkeypatch.setattr(LessonScene, "_end_cue", look)
    play_cell(trace, cell, artboard)
    _, before, printed, _ = cues
    assert all(before), "the tape is there, and something stands on it"
    assert printed[0] or not printed[1], "nothing stands where the tape was"
    if artboard == "page":
        assert not printed[0], "the tape made room for what is printed"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\tb\r\n\tc", ["a       b", "        c"]),
        ("loss 0.25\rloss 3", ["loss 3.25"]),
        ("ab\b\bc", ["cb"]),
        ("\x1b[1;31mred\x1b[0m \x1b]8;;file.py\x1b\\link\x1b]8;;\x07", ["red link"]),
        ("50 %\r\x1b[K100 %", ["100 %"]),
        ("abc\x1b[2D\x1b[1Kd", [" dc"]),
        ("one\ntwo\x1b[A!\x1b[2K\x1b[1Gthree", ["three", "two"]),
        ("old\nlines\x1b[2J\x1b[Hnew", ["new", ""]),
        ("up\x1b[2B\x1b[3Cx", ["up", "", "     x"]),
        ("あい\rう", ["うい"]),
        ("e\u0301\x07\x1b[3", ["é"]),
        ("✅\ufe0f.", ["✅\ufe0f."]),
    ],
)
def test_a_text_stands_as_on_a_terminal(text: str, lines: list[str]) -> None:
    assert screen(text) == lines
