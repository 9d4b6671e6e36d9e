"""Views, copies and writes on stage: what the block and the memory tape show, against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from manim import Animation

from tests.stage.conftest import CELLS, Staged, play_cell, write_cells
from torchreel.records import Run, TensorRecord, Trace
from torchreel.stage import registry
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas, Label, first_part
from torchreel.stage.chips import Named
from torchreel.stage.colors import THEMES
from torchreel.stage.director import LessonScene
from torchreel.stage.facts import Facts
from torchreel.stage.fills import Fills
from torchreel.stage.frame import Parts
from torchreel.stage.memory import memory_positions
from torchreel.stage.ops import transpose as transpose_file
from torchreel.stage.stage import Stage
from torchreel.stage.strides import Hops, StrideArrows
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import Threads
from torchreel.stage.title import Names
from torchreel.tracer import trace_script


@pytest.fixture
def at_each_cue(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], list[str]]]:
    """What the tape and the last block say at the end of each cue."""
    seen: list[tuple[list[str], list[str]]] = []
    end_cue = LessonScene._end_cue

    def look(self: LessonScene, run: Run, start: float) -> None:
        end_cue(self, run, start)
        tape, block = self.stage.tape, self.stage.block
        slots = [] if tape is None else [label.text for label in tape.digits]
        seen.append((slots, [] if block is None else [text for text, _, _ in block.digits()]))

    monkeypatch.setattr(LessonScene, "_end_cue", look)
    return seen


def _texts(tensor: torch.Tensor) -> list[str]:
    return [str(value).replace("-", "−") for value in tensor.flatten().tolist()]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_transpose_rests_in_memory_and_its_strides_change_places(
    staged: Staged, artboard: str, at_each_cue: list[tuple[list[str], list[str]]]
) -> None:
    scene = staged("transposed", artboard)
    y = torch.arange(12).reshape(3, 4)
    t = y.T
    assert at_each_cue[1] == (_texts(y), _texts(t))
    told = [d.text for d in scene.drawn if d.cue == 2 and d.source == "stride"]
    numbers = [text for text in told if not text.startswith("+")]
    assert numbers == [str(each) for each in (*y.stride(), *t.stride())]
    assert {text for text in told if text.startswith("+")} == {"+4", "+1"}


def test_a_transposed_cell_lies_below_what_it_lay_beside(staged: Staged) -> None:
    scene = staged("transposed")
    first, last = scene.stage.blocks
    assert first.record.shape == last.record.shape == (4, 3)
    corners = last.pose.corners.reshape(4, 3, 2)
    assert np.allclose(corners[1:, :, 1] - corners[:-1, :, 1], last.pose.size)
    assert np.allclose(corners[:, 1:, 0] - corners[:, :-1, 0], last.pose.size)


def test_a_contiguous_copy_has_memory_in_the_order_in_which_it_is_read(
    staged: Staged, at_each_cue: list[tuple[list[str], list[str]]]
) -> None:
    scene = staged("transposed")
    c = torch.arange(12).reshape(3, 4).T.contiguous()
    assert at_each_cue[2] == (_texts(c), _texts(c))
    assert scene.stage.tape is not None
    assert scene.stage.tape.record.storage == scene.stage.blocks[-1].record.storage
    hops = [each for each in scene.mobjects if isinstance(each, Hops)]
    assert len(hops) == 1


def test_a_tensor_that_is_contiguous_already_is_not_copied(staged: Staged) -> None:
    scene = staged("turned")
    (block,) = scene.stage.blocks
    assert scene.trace.steps[-1].results[0] == block.record.id
    assert len(scene.stage._lights) == 1


def test_a_write_through_a_view_shows_in_the_memory_and_a_copy_is_left_alone(
    staged: Staged, at_each_cue: list[tuple[list[str], list[str]]]
) -> None:
    x = torch.arange(12)
    v = x.view(3, 4)
    staged("written")
    v[1, 3] = 99
    assert at_each_cue[2] == (_texts(x), _texts(v))
    c = v.clone()
    assert at_each_cue[3] == (_texts(c), _texts(c))
    c[0, 0] = -5
    assert at_each_cue[4] == (_texts(c), _texts(c))


def test_a_write_shows_in_every_view_on_stage(
    staged: Staged, at_each_cue: list[tuple[list[str], list[str]]]
) -> None:
    scene = staged("sliced_write")
    third = [d for d in scene.drawn if d.cue == 3 and d.source == "value" and d.text == "40"]
    # In k, in n, and on the tape; each says it comes from n, through which it was written.
    assert len(third) == 3
    assert len({(d.tensor, d.index) for d in third}) == 1
    k = torch.arange(6).reshape(2, 3)
    n = k[:, 1:]
    n[0, 1] = 40
    assert at_each_cue[2][0] == _texts(k)
    k += 1
    assert at_each_cue[3] == (_texts(k), _texts(n))
    assert [text for text, _, _ in scene.stage.blocks[0].digits()] == _texts(k)


def test_a_tape_is_empty_until_its_memory_is_made(trace: Trace, staged: Staged) -> None:
    scene = staged("sliced_write")
    tape = scene.stage.tape
    assert isinstance(tape, MemoryTape)
    assert [label.text for label in tape.digits] == ["1", "2", "41", "4", "5", "6"]


def test_a_number_that_is_written_is_drawn_once(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels on the tape stay the same mobjects: those exchanged in a play are drawn below."""
    seen: list[bool] = []
    write = MemoryTape._rewrite

    def watch(self: MemoryTape, *args: Any) -> None:
        before = [id(label) for label in self.digits]
        write(self, *args)
        seen.append(before == [id(label) for label in self.digits])

    monkeypatch.setattr(MemoryTape, "_rewrite", watch)
    staged("written")
    assert seen == [True, True]


def test_what_is_too_large_for_cells_still_tells_its_strides(staged: Staged) -> None:
    scene = staged("turned_large")
    arrows = [each for each in scene.mobjects if isinstance(each, StrideArrows)]
    told = [d for d in scene.drawn if d.cue == 2 and d.source == "stride"]
    assert [d.text for d in told] == ["30", "1", "1", "30"]
    assert len(arrows) <= 2


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_tensor_stays_beside_its_view_when_their_memory_is_written(
    trace: Trace, artboard: str
) -> None:
    scene = play_cell(trace, "written", artboard, until="v[1, 3] = 99")
    x = torch.arange(12)
    v = x.view(3, 4)
    v[1, 3] = 99
    first, last = scene.stage.blocks
    assert [text for text, _, _ in first.digits()] == _texts(x)
    assert [text for text, _, _ in last.digits()] == _texts(v)
    assert (first.record.shape, last.record.shape) == (x.shape, v.shape)
    # One slot is followed in both, from the first line on, and it is the one that is written.
    assert first.followed == 7
    assert last.followed == 7
    assert scene.stage.tape is not None
    assert scene.stage.tape.outlined == 7
    assert first.pose.box[3] < last.pose.box[1]


def test_a_tensor_whose_memory_is_not_written_gives_way_to_its_view(staged: Staged) -> None:
    (block,) = staged("lesson").stage.blocks
    assert block.record.shape == (2, 2, 3)


def test_a_view_line_crosses_no_other_block(trace: Trace) -> None:
    scene = play_cell(trace, "written", until="v[1, 3] = 99")
    first, last = scene.stage.blocks
    tape = scene.stage.tape
    assert tape is not None
    left, top, right, bottom = last.pose.box
    line = first.view_line(7, tape.top_of(7))
    inside = (line > [left, top]) & (line < [right, bottom])
    assert not inside.all(axis=1).any()
    assert first.anchor == last.anchor == tape.top_of(7)
    # What would hang from over the table does not hang at all.
    scene.stage.following(1)
    assert first.anchor is None


def test_slots_fill_while_their_elements_arrive(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tape that is filled moves itself: what only others change is not drawn anew."""
    moved: list[bool] = []
    play = LessonScene.play

    def watch(self: LessonScene, *args: Any, **kwargs: Any) -> None:
        parts = [each.mobject for each in args if isinstance(each, BlockAnimation)]
        if any(isinstance(each, Threads) for each in parts):
            moved.append(any(isinstance(each, MemoryTape) for each in parts))
        play(self, *args, **kwargs)

    monkeypatch.setattr(LessonScene, "play", watch)
    play_cell(trace, "transposed")
    assert moved == [True]


def test_a_tape_goes_with_the_memory_that_it_shows(trace: Trace) -> None:
    shown = {}
    for line in ("y = x.reshape(3, 4)", "u = s * 2", "z = torch.zeros(6)", "y[0, 0] = 7"):
        scene = play_cell(trace, "two_memories", until=line)
        tapes = [each for each in scene.mobjects if isinstance(each, MemoryTape)]
        assert tapes == ([] if scene.stage.tape is None else [scene.stage.tape])
        shown[line] = [[label.text for label in tape.digits] for tape in tapes]
        assert not scene.warnings
    x = torch.arange(12)
    seven = torch.cat([torch.tensor([7]), x[1:]])
    assert list(shown.values()) == [[_texts(x)], [], [["0."] * 6], [_texts(seven)]]


def test_what_is_written_is_shown_in_its_own_shape(staged: Staged) -> None:
    scene = staged("written_whole")
    assert scene.stage.blocks[-1].record.shape == (12,)
    x = torch.arange(12)
    x += 1
    assert [text for text, _, _ in scene.stage.blocks[-1].digits()] == _texts(x)


def test_both_readers_stay_where_they_stand_when_each_writes(staged: Staged) -> None:
    x = torch.arange(12)
    y = x.reshape(3, 4)
    x += 1
    y[1] = 0
    shown = staged("written_twice").stage.blocks
    assert [each.record.shape for each in shown] == [x.shape, y.shape]
    texts = [[text for text, _, _ in each.digits()] for each in shown]
    assert texts == [_texts(x), _texts(y)]


def test_a_badge_stands_above_the_bracket_of_a_row_over_its_memory(staged: Staged) -> None:
    scene = staged("doubles")
    (badge,) = [each for each in scene.drawn if each.cue == 1 and each.source == "dtype"]
    assert badge.text == str(torch.arange(12, dtype=torch.float64).dtype).removeprefix("torch.")
    assert not scene.warnings


def test_no_row_that_swings_passes_over_a_column_that_has_landed(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered: list[bool] = []
    swing = transpose_file._swing

    def watch(stage: Stage, before: TensorBlock, after: TensorBlock) -> Animation:
        animation, home = swing(stage, before, after), after.placement.pose
        column = np.arange(12) % 3
        for alpha in np.linspace(0, 0.99, 40):
            animation.interpolate(float(alpha))
            pose = after.pose
            landed = np.abs(pose.corners - home.corners).max(axis=1) < 1
            for here in np.flatnonzero(landed & pose.shown):
                others = pose.shown & (column != column[here])
                apart = np.abs(pose.corners[others] - pose.corners[here]).max(axis=1)
                covered.append(bool((apart < 0.7 * pose.size).any()))
        animation.interpolate(0)
        return animation

    monkeypatch.setattr(transpose_file, "_swing", watch)
    play_cell(trace, "transposed", until="t = y.T")
    assert len(covered) > 20
    assert not any(covered)


def _told(scene: LessonScene) -> list[tuple[list[str], list[str]]]:
    """Return what each tape says, the upper one first: whose memory it is, and its slots."""
    tapes = [each for each in scene.mobjects if isinstance(each, MemoryTape)]
    for tape in tapes:
        if tape.is_told:
            end = scene.canvas.pixel(tape.names.get_right())[0]
            assert end < scene.canvas.pixel(tape.frame.get_left())[0]
    return [
        (
            sorted(
                part.text
                for part in each.names.get_family()
                if isinstance(part, Label) and part.source and part.source.source == "name"
            ),
            [label.text for label in each.digits],
        )
        for each in sorted(tapes, key=lambda each: -each.stance[1])
    ]


def _sharing(tensor: torch.Tensor, **named: torch.Tensor) -> list[str]:
    """Return the names of the tensors that PyTorch keeps in the memory of ``tensor``."""
    memory = tensor.untyped_storage().data_ptr()
    return sorted(k for k, each in named.items() if each.untyped_storage().data_ptr() == memory)


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_both_pieces_of_memory_rest_after_a_copy_and_say_whose_they_are(
    trace: Trace, artboard: str
) -> None:
    x = torch.arange(12)
    v = x.view(3, 4)
    w = v.clone()
    scene = play_cell(trace, "copied", artboard, until="w = v.clone()")
    named = {"x": x, "v": v, "w": w}
    assert _told(scene) == [(_sharing(m, **named), _texts(m)) for m in (w, x)]
    assert not scene.warnings
    # What is written, in whichever of the two, shows in that alone.
    for line in ("x[5] = 7", "w[0, 0] = -5"):
        scene = play_cell(trace, "copied", artboard, until=line)
        exec(line, {}, named)
        assert _told(scene) == [(_sharing(m, **named), _texts(m)) for m in (w, x)]
        assert not scene.warnings
    # A view of one of them has no use for the other, and still says whose memory it reads.
    scene = play_cell(trace, "copied", artboard, until="u = w.T")
    named["u"] = w.T
    assert _told(scene) == [(_sharing(w, **named), _texts(w))]


def test_the_number_of_copied_elements_stands_between_the_two(staged: Staged) -> None:
    scene = staged("transposed")
    counts = [each.text for each in scene.drawn if each.source == "size" and not each.index]
    assert counts == [str(torch.arange(12).reshape(3, 4).T.contiguous().numel())]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_memory_says_whose_it_is_beside_what_does_not_lie_in_it(
    trace: Trace, artboard: str
) -> None:
    x = torch.arange(12)
    y = x.reshape(3, 4)
    s = y.sum(0)
    scene = play_cell(trace, "two_memories", artboard, until="y = x.reshape(3, 4)")
    assert _told(scene) == [([], _texts(x))]
    scene = play_cell(trace, "two_memories", artboard, until="s = y.sum(0)")
    assert _told(scene) == [(_sharing(x, x=x, y=y, s=s), _texts(x))]
    assert not scene.warnings


def test_names_that_have_no_room_are_left_out_from_the_last_on() -> None:
    canvas = Canvas(ARTBOARDS["page"], THEMES["dark"])
    record = TensorRecord(0, (2,), (1,), "int64", "cpu", 0, 0, 2)
    for keys, told in (
        (["a", "b"], ["a", ",", "b"]),
        (["c", "second", "third"], ["c", ", …"]),
        (["a_rather_long_name"], ["a_ra…"]),
    ):
        names = Names(canvas, [Named(key, record) for key in keys], 148, 600)
        labels = [each for each in names.get_family() if isinstance(each, Label)]
        assert [each.text for each in labels] == told
        assert all(each.get_left()[0] > canvas.point(24, 0)[0] - 0.01 for each in labels)


def test_a_number_that_is_written_has_its_colour_wherever_it_is_shown(trace: Trace) -> None:
    """Where fills tell values, that of another value is another one: in the memory too."""
    scene = play_cell(trace, "copied", until="w[0, 0] = -5")
    (block,) = scene.stage.blocks
    before = play_cell(trace, "copied", until="x[5] = 7").stage.tape_for(block.record)
    tape = scene.stage.tape
    assert tape is not None
    assert before is not None
    assert np.allclose(tape.fills[0], block.fills[0])
    assert not np.allclose(tape.fills[0], before.fills[0])
    assert np.allclose(tape.fills[1], before.fills[1])


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize(("cell", "until"), [("written", "v[1, 3] = 99"), ("lesson", "y = x")])
def test_a_view_line_is_seen_from_its_cell_to_its_slot(
    trace: Trace, artboard: str, cell: str, until: str
) -> None:
    """It begins at an edge of the cell that is followed, and runs over no other cell on its way."""
    line = {"y = x": "y = x.reshape(3, 4)"}.get(until, until)
    block = play_cell(trace, cell, artboard, until=line).stage.blocks[-1]
    assert block.followed is not None
    assert block.anchor is not None
    way = block.view_line(block.followed, block.anchor)
    size = block.pose.size
    start = (way[0] - block.pose.corners[block.followed]) / size
    assert start[1] == pytest.approx(1)
    assert any(start[0] == pytest.approx(x) for x in (0, 0.5, 1))
    assert way[-1] == pytest.approx(np.array(block.anchor))
    for corner in block.pose.corners:
        inside = (way > corner + 0.1 * size) & (way < corner + 0.9 * size)
        assert not inside.all(axis=1).any()
    # Nothing of the block is drawn after it, so that nothing hides it.
    assert block.submobjects[-1] is block.thread


@pytest.mark.parametrize("cell", CELLS)
def test_a_slot_keeps_its_colour_while_its_number_stays(trace: Trace, cell: str) -> None:
    """Whoever reads a slot of memory, and whatever was written elsewhere in it."""
    facts = Facts(trace.of_cell(cell))
    steps = facts.trace.steps
    kinds = [registry.find(step.op, facts.provenance(step)).fills for step in steps]
    drawn = Fills(facts.trace, kinds, THEMES["dark"])
    colors: dict[tuple[int, int, float], set[tuple[float, ...]]] = {}
    for record in (facts.record(each) for step in steps for each in step.results):
        values = facts.values(record)
        if values is None or not record.stride or values.dtype.kind not in "fi":
            continue
        fills = drawn.colors(record, np.arange(record.numel)).round(6)
        places = memory_positions(record).ravel()
        for place, value, fill in zip(places, values.ravel(), fills, strict=True):
            if np.isfinite(value):
                key = (record.storage, int(place), float(value))
                colors.setdefault(key, set()).add(tuple(fill))
    assert all(len(each) == 1 for each in colors.values())


def test_what_is_copied_and_then_written_keeps_the_colours_of_its_source(staged: Staged) -> None:
    stage = staged("turned_written").stage
    y, _, c, _, d = (stage.record(step.results[0]) for step in stage.trace.steps[1:])
    fills = stage.fills.colors(y, np.arange(12))
    order = torch.arange(12).reshape(3, 4).T.contiguous().flatten().numpy()
    assert np.allclose(stage.fills.colors(c, np.arange(12)), fills[order])
    assert np.allclose(stage.fills.colors(d, np.arange(12)), fills[order])


def test_what_a_mask_picks_keeps_its_colour(staged: Staged) -> None:
    stage = staged("mask_asked").stage
    x, v = stage.record(stage.names["x"]), stage.record(stage.names["v"])
    chosen = torch.arange(12)[torch.arange(12) % 5 > 2].numpy()
    fills = stage.fills.colors(x, np.arange(12))
    assert np.allclose(stage.fills.colors(v, np.arange(len(chosen))), fills[chosen])


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_memory_that_comes_back_beside_a_copy_says_whose_it_is(
    staged: Staged, artboard: str
) -> None:
    x = torch.arange(12).reshape(3, 4)
    assert _told(staged("mask_asked", artboard)) == [(["x"], _texts(x))]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_what_a_mask_chose_is_led_to_where_it_is_and_over_nothing_else(
    staged: Staged, artboard: str
) -> None:
    scene = staged("mask_asked", artboard)
    block, after = scene.stage.blocks
    (threads,) = [each for each in scene.mobjects if isinstance(each, Threads)]
    x = torch.arange(12).reshape(3, 4)
    chosen = torch.nonzero((x % 5 > 2).flatten()).flatten().tolist()
    assert len(threads) == len(chosen)
    for thread, cell, end in zip(threads, chosen, range(len(chosen)), strict=True):
        way = np.array(
            [
                scene.canvas.pixel(first_part(thread.points, share)[-1])
                for share in np.linspace(0, 1, 60)
            ]
        )
        for tensor, corner, own in (
            *((block, each, index == cell) for index, each in enumerate(block.pose.corners)),
            *((after, each, index == end) for index, each in enumerate(after.pose.corners)),
        ):
            size = tensor.pose.size
            inside = (way > corner + 0.05 * size) & (way < corner + 0.95 * size)
            assert own or not inside.all(axis=1).any()
        near = [way[0] - block.pose.corners[cell], way[-1] - after.pose.corners[end]]
        for gap, size in zip(near, (block.pose.size, after.pose.size), strict=True):
            assert (gap > -0.25 * size).all()
            assert (gap < 1.25 * size).all()


def _signs(scene: LessonScene) -> list[str]:
    labels = Parts.of(scene.mobjects).labels
    return [each.text for each in labels if each.source and each.source.source == "sign"]


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_what_rests_stays_beside_its_copy_that_is_written(trace: Trace, artboard: str) -> None:
    """It is the same as before, and the sign between the two is gone."""
    v = torch.arange(12).view(3, 4)
    v[1, 3] = 99
    c = v.clone()
    before = play_cell(trace, "written", artboard, until="c = v.clone()")
    assert "→" in _signs(before)
    c[0, 0] = -5
    scene = play_cell(trace, "written", artboard)
    assert [[text for text, _, _ in each.digits()] for each in scene.stage.blocks] == [
        _texts(v),
        _texts(c),
    ]
    titles = [Parts.of([each.title]).labels for each in scene.stage.blocks if each.title]
    assert [each[0].text for each in titles] == ["v", "c"]
    assert "→" not in _signs(scene)
    assert not scene.warnings
    assert [tuple(each.pose.corners[0]) for each in scene.stage.blocks] == [
        tuple(each.pose.corners[0]) for each in before.stage.blocks
    ]


@pytest.mark.parametrize(
    ("lines", "stay"),
    [
        ("a = torch.arange(3)\nb = torch.tensor([1, 1, 1])\nc = a + b\na.add_(2)", ["a", "b"]),
        ("a = torch.arange(3)\nb = torch.tensor([1, 1, 1])\nc = a + b\nc[0] = 7", ["c"]),
        ("a = torch.arange(6)\nb = a[a > 3]\nb[0] = 7", ["a", "b"]),
        ("a = torch.arange(6).view(2, 3)\nt = a.T\nb = t.contiguous()\nb[0, 1] = 7", ["b", "t"]),
    ],
)
def test_only_what_is_still_true_beside_it_stays_when_memory_is_written(
    tmp_path: Path, lines: str, stay: list[str]
) -> None:
    script = write_cells(tmp_path, {"row": lines})
    scene = play_cell(trace_script(script, root=tmp_path), "row")
    held: dict[str, torch.Tensor] = {}
    exec(lines, {"torch": torch}, held)
    shown = {str(scene.stage.name_of(each.record)): each for each in scene.stage.blocks}
    for name, block in shown.items():
        assert [text for text, _, _ in block.digits()] == _texts(held[name])
    assert sorted(shown) == stay
    assert not {"→", "+", "=", "[", "]"} & set(_signs(scene))
    assert not scene.warnings


OUTSIDE = {
    "printed": "x = torch.arange(6)\nv = x.view(2, 3)\nn = x.numpy()\nn[1] = 100\nprint(x)",
    "used": "x = torch.arange(6)\nv = x.view(2, 3)\nn = x.numpy()\nn[1] = 100\nw = x[3:]\n"
    "s = w.sum()",
    "meta": 'm = torch.empty(2, 3, device="meta")\nv = m.view(6)\nt = m.T\nc = t.contiguous()',
    "set_again": "t = torch.arange(8)\nt[::2] += 1",
    "offset": "x = torch.arange(12)\nv = x[4:].view(2, 4)",
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of what others write than torch, and of other rarities of memory."""
    script = write_cells(tmp_path_factory.mktemp("outside"), OUTSIDE)
    return trace_script(script, root=script.parent)


def _shown(scene: LessonScene) -> list[list[str]]:
    """Return the numbers that are written in memory, then those of each block."""
    tapes = [[label.text for label in tape.digits] for tape in scene.stage.tapes]
    blocks = [[text for text, _, _ in block.digits()] for block in scene.stage.blocks]
    return [*tapes, *blocks]


def test_what_numpy_wrote_is_shown_when_it_is_printed(outside: Trace) -> None:
    x = torch.arange(6)
    before = play_cell(outside, "printed", until="n = x.numpy()")
    assert _shown(before) == [_texts(x), _texts(x)]
    x.numpy()[1] = 100
    after = play_cell(outside, "printed")
    assert _shown(after) == [_texts(x), _texts(x)]
    slot, cell = (part.fills[1] for part in (after.stage.tapes[0], after.stage.blocks[0]))
    assert np.allclose(slot, cell)
    assert not np.allclose(slot, before.stage.tapes[0].fills[1])


def test_what_numpy_wrote_is_shown_beside_what_torch_reads(outside: Trace) -> None:
    """Even in slots that the tensor which is read does not have."""
    x = torch.arange(6)
    x.numpy()[1] = 100
    assert _shown(play_cell(outside, "used", until="w = x[3:]")) == [
        _texts(x),
        _texts(x),
        _texts(x[3:]),
    ]
    scene = play_cell(outside, "used")
    assert _shown(scene)[0] == _texts(x)
    assert not scene.warnings


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_a_tensor_without_memory_has_no_tape(outside: Trace, artboard: str) -> None:
    scene = play_cell(outside, "meta", artboard)
    assert not torch.empty(2, 3, device="meta").untyped_storage().data_ptr()
    assert not [each for each in scene.mobjects if isinstance(each, (MemoryTape, Hops))]
    c = torch.empty(2, 3, device="meta").T.contiguous()
    told = [
        d.text
        for d in scene.drawn
        if d.source == "stride" and d.tensor == scene.block("c").record.id
    ]
    assert {int(each) for each in told} == set(c.stride())
    assert not scene.warnings


def test_what_is_set_again_lights_what_was_written_and_no_more(outside: Trace) -> None:
    """``t[::2] += 1`` writes the elements, then sets them to themselves."""
    scene = play_cell(outside, "set_again")
    t = torch.arange(8)
    t[::2] += 1
    assert _shown(scene)[:2] == [_texts(t), _texts(t)]
    block = scene.stage.blocks[0]
    boxes = scene.stage.lit_boxes(block)
    assert len(boxes) == len(torch.arange(8)[::2])
    last = [d for d in scene.drawn if d.cue == len(scene.cues) and d.source == "shape"]
    assert [d.text for d in last] == ["(8,)", "(4,)", "(8,)"]


def test_a_view_of_a_part_leaves_the_rest_of_its_memory_dark(outside: Trace) -> None:
    scene = play_cell(outside, "offset")
    v = torch.arange(12)[4:].view(2, 4)
    (tape,) = scene.stage.tapes
    assert np.flatnonzero(tape.dims == 0).tolist() == v.flatten().tolist()


def test_a_write_of_what_is_there_already_lights_where_it_went(staged: Staged) -> None:
    scene = staged("written_same")
    block = scene.block("k")
    torch_places = torch.arange(6).reshape(2, 3)
    (lit,) = scene.stage.lit_boxes(block)
    (cell,) = block.cells_of([int(torch_places[0, 1])])
    middle = block.pose.corners[cell] + block.pose.size / 2
    assert lit[:2] + lit[2:4] / 2 == pytest.approx(middle)


WRITES = {
    "no_match": ("k = torch.arange(4.0)", "k[k > 100] = 5"),
    "no_match_deep": ("k = torch.arange(12.0).reshape(2, 2, 3)", "k[k > 100] = 5"),
    "no_elements": ("k = torch.zeros(2, 0, 3)", "k[:] = 1"),
    "no_rows": ("k = torch.zeros(4, 3)", "k[4:] = 1"),
    "scattered": ("k = torch.zeros(4, 5)\nk[1:3, ::2] = 7", "k[k == 0] = -1"),
    "chequered": ("k = torch.arange(48).reshape(6, 8)", "k[k % 2 == 0] = -1"),
    "every_third": ("k = torch.arange(36)", "k[::3] = -1"),
    "no_match_large": ("k = torch.arange(600.0).reshape(20, 30)", "k[k > 1000] = 5"),
    "some_there": ("k = torch.arange(6.0).reshape(2, 3)", "k[0] = 1"),
    "all_copied": ("k = torch.tensor([0.0, 5, 2])\nb = torch.tensor([0.0, 1, 2])", "k.copy_(b)"),
    "filled_again": ("k = torch.eye(2)\ni = torch.tensor([1])", "k.index_fill_(0, i, 0)"),
    "rows_added": (
        "k = torch.zeros(3, 2)\nb = torch.ones(1, 2)",
        "k.index_add_(0, torch.tensor([1]), b)",
    ),
    "clamped": ("k = torch.arange(4.0)", "k.clamp_(0, 2)"),
    "rows_large": ("k = torch.zeros(20, 18)", "k[-7:, ::2] = 0"),
}


@pytest.fixture(scope="module")
def writes(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a cell for each of these writes."""
    cells = {name: "\n".join(lines) for name, lines in WRITES.items()}
    script = write_cells(tmp_path_factory.mktemp("writes"), cells)
    return trace_script(script, root=script.parent)


def _written(cell: str) -> torch.Tensor:
    """Return which elements torch writes in the last line of a cell: those that have another value
    then, whether they held what they hold or numbers that none of these lines writes."""
    made, line = WRITES[cell]
    found = []
    for marks in (0, 76, -76):
        names: dict[str, Any] = {"torch": torch}
        exec(made, names)
        names["k"] += marks
        before = names["k"].clone()
        exec(line, names)
        found.append(torch.ne(before, names["k"]))
    return torch.stack(found).any(0)


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", [each for each in WRITES if each.startswith("no_")])
def test_nothing_is_lit_where_nothing_is_written(writes: Trace, cell: str, artboard: str) -> None:
    scene = play_cell(writes, cell, artboard)
    assert not scene.warnings
    assert not _written(cell).any()
    assert all(not len(focus.boxes) for focus in scene.stage._lights.values())


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("cell", [each for each in WRITES if not each.startswith("no_")])
def test_the_cells_that_are_written_are_lit_and_no_others(
    writes: Trace, cell: str, artboard: str
) -> None:
    scene = play_cell(writes, cell, artboard)
    block = scene.block("k")
    middles = block.pose.corners + block.pose.size / 2
    boxes = scene.stage.lit_boxes(block)[:, None]
    inside = (middles > boxes[..., :2]) & (middles < boxes[..., :2] + boxes[..., 2:4])
    lit = np.zeros(block.record.numel, dtype=bool)
    lit[block.elements[inside.all(axis=2).any(axis=0)]] = True
    assert not scene.warnings
    assert lit.tolist() == _written(cell).flatten().tolist()
