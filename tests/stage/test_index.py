"""Indexing: what is asked for is lit, the rest is dark, and the copy holds torch's elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from manim import Mobject

from tests.stage.conftest import Staged, Watching, play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.block import TensorBlock
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.line import WrittenLine
from torchreel.stage.memory import memory_positions
from torchreel.stage.ops.index import _dim_of, _viewed
from torchreel.stage.rulers import IndexRulers
from torchreel.stage.strides import Hops
from torchreel.stage.tape import MemoryTape
from torchreel.stage.threads import Threads
from torchreel.tracer import trace_script

X = torch.arange(12).reshape(3, 4)
MASK = X % 5 > 2
ROWS = torch.tensor([2, 0])


def shown(block: TensorBlock) -> list[str]:
    """Return the numbers on a block's cells, from left to right and from above to below."""
    found = [(round(box[1]), round(box[0]), text) for text, _, box in block.digits()]
    rows = sorted({top for top, _, _ in found})
    return [text for row in rows for top, _, text in sorted(found) if abs(top - row) < 2]


def lit(scene: LessonScene) -> set[tuple[int, ...]]:
    """Return the indices on the rulers that are in focus: (column,) or (0, row)."""
    rulers = [each for each in scene.mobjects if isinstance(each, IndexRulers)]
    labels = [label for ruler in rulers for label in ruler if isinstance(label, Label)]
    focus = scene.canvas.theme.focus
    return {
        label.source.index
        for label in labels
        if label.source is not None and np.allclose(label.fill_rgbas[0, :3], focus)
    }


@pytest.mark.parametrize(
    ("cell", "name", "expected"),
    [
        ("columns_asked", "c", X[:, 1:3]),
        ("mask_asked", "v", X[MASK]),
        ("rows_asked", "p", X[ROWS]),
        ("gathered", "g", X.gather(1, torch.tensor([[0], [2], [1]]))),
    ],
)
def test_the_copy_holds_the_elements_that_torch_picks(
    staged: Staged, cell: str, name: str, expected: torch.Tensor
) -> None:
    block = staged(cell).block(name)
    assert block.record.shape == tuple(expected.shape)
    assert shown(block) == [str(each) for each in expected.ravel().tolist()]


@pytest.mark.parametrize(("cell", "kept"), [("mask_asked", MASK), ("columns_asked", None)])
def test_what_is_not_asked_for_is_dark(
    staged: Staged, cell: str, kept: torch.Tensor | None
) -> None:
    if kept is None:
        kept = torch.zeros_like(X, dtype=torch.bool)
        kept[:, 1:3] = True
    dark = staged(cell).block("x").dims > 0
    assert dark.tolist() == (~kept).ravel().tolist()


def test_the_rulers_light_the_columns_that_the_slice_names(staged: Staged) -> None:
    assert lit(staged("columns_asked")) == {(1,), (2,)}


def test_the_rulers_light_the_row_of_the_last_index(staged: Staged) -> None:
    assert lit(staged("rows_asked")) == {(0, int(ROWS[-1]))}


def test_a_copied_cell_keeps_the_colour_it_had(staged: Staged) -> None:
    scene = staged("columns_asked")
    x, c = scene.block("x"), scene.block("c")
    assert np.allclose(c.fills, x.fills.reshape(3, 4, 3)[:, 1:3].reshape(-1, 3))


def _slots(tape: MemoryTape, parts: Iterable[Mobject]) -> list[int]:
    """Return the slots around which frames stand."""
    lefts = (each.get_x() / tape.canvas.artboard.unit + 640 for each in parts)
    return [round((left - tape.left) / tape.slot - 0.5) for left in lefts]


@pytest.mark.parametrize(("cell", "view"), [("columns_asked", X[:, 1:3]), ("row_asked", X[1])])
def test_a_slice_walks_over_memory_from_its_offset_by_its_strides(
    staged: Staged, cell: str, view: torch.Tensor
) -> None:
    scene = staged(cell)
    tape = scene.stage.tape
    assert tape is not None
    (hops,) = [each for each in scene.mobjects if isinstance(each, Hops)]
    first, strides = view.storage_offset(), view.stride()
    rows = {first + row * strides[0] for row in range(len(view))}
    framed = [part for part in hops.get_family() if part.stroke_width and len(part.points) > 8]
    assert set(_slots(tape, framed)) == rows | {first + stride for stride in strides}
    # What it does not read is dark, until the next line.
    whole = torch.arange(X.numel()).view(X.shape).as_strided(view.shape, strides, first)
    assert set(np.flatnonzero(tape.dims == 0)) == set(whole.flatten().tolist())
    told = [each for each in scene.drawn if each.source == "stride" and each.cue == len(scene.cues)]
    assert [each.text.strip("+") for each in told] == [str(by) for by in strides[::-1]]
    assert not scene.warnings


def test_memory_is_bright_again_when_the_next_line_plays(staged: Staged) -> None:
    tape = staged("columns_then_sum").stage.tape
    assert tape is not None
    assert not tape.dims.any()


def test_an_expanded_view_walks_along_its_own_memory_and_no_further(staged: Staged) -> None:
    scene = staged("expanded")
    tape, (hops,) = scene.stage.tape, [e for e in scene.mobjects if isinstance(e, Hops)]
    view = torch.arange(4).reshape(4, 1).expand(4, 3)
    assert tape is not None
    assert tape.count == view.untyped_storage().nbytes() // view.element_size()
    assert hops.steps == len(view) - 1
    told = {each.text for each in scene.drawn if each.source == "stride"}
    assert told == {f"+{by}" for by in view.stride()}
    assert not scene.warnings


@pytest.mark.parametrize("cell", ["columns_asked", "expanded"])
def test_threads_lead_from_a_view_to_the_slots_that_it_reads(staged: Staged, cell: str) -> None:
    scene = staged(cell, "film")
    tape = scene.stage.tape
    assert tape is not None
    (threads,) = [each for each in scene.mobjects if isinstance(each, Threads)]
    ends = {round(scene.canvas.pixel(each.points[-1])[0], 1) for each in threads}
    block = scene.stage.blocks[-1]
    slots = memory_positions(block.record).ravel()
    read = slots[-block.record.shape[-1] :] if block.record.numel > 8 else slots
    assert ends == {round(tape.top_of(int(slot))[0], 1) for slot in read}
    assert not scene.warnings


def test_an_empty_slice_reads_nothing(staged: Staged) -> None:
    scene = staged("nothing_asked")
    assert X[3:].numel() == 0
    assert not [each for each in scene.mobjects if isinstance(each, Hops)]


LARGE = {
    "row": "x[3]",
    "column": "x[:, 5]",
    "strided": "x[2:90:3, ::7]",
    "turned": "x.T[5]",
    "copied": "x[[3, 1]]",
}

DEEP = {
    "opened_row": "y[:, 1]",
    "opened_column": "y[1, :, 2]",
    "opened_last": "y[..., -1]",
    "slice_behind": "x[3]",
    "rows_behind": "x[1:3, 0]",
    "columns_through": "x[:, :, 1:3]",
    "batch": "z[2:5]",
    "crop": "z[:, :, 4:20, 4:20]",
    "one_of_batch": "z[6, 0, 3]",
    "cuboids": "u[:, 2]",
}
MADE = {
    "x": torch.arange(60).reshape(5, 3, 4),
    "y": torch.arange(24).reshape(2, 3, 4),
    "z": torch.arange(6272).reshape(8, 1, 28, 28),
    "u": torch.arange(24).reshape(2, 3, 2, 2),
}
MAKING = {
    name: f"torch.arange({each.numel()}).reshape{tuple(each.shape)}" for name, each in MADE.items()
}

KEPT = "torch.tensor([True, False, True])"
INDICES = [
    *("torch.tensor(2), ::2", "torch.tensor(1)", "torch.tensor([1])", "torch.tensor(True)"),
    *("[0, 2]", ":, [1]", "..., 1", "1:, None", "None, 0", "torch.tensor(2), torch.tensor(0)"),
    *("x > 3", KEPT, "(torch.tensor(1), slice(1, 3))"),
]

TABLE = "x = torch.arange(12).reshape(3, 4)"
CELLS = {
    **{
        f"large_{name}": f"x = torch.arange(60_000).reshape(150, 400)\ny = {line}"
        for name, line in LARGE.items()
    },
    **{name: f"{line[0]} = {MAKING[line[0]]}\na = {line}" for name, line in DEEP.items()},
    **{index: f"{TABLE}\nr = x[{index}]" for index in INDICES},
    "parts": "w = torch.linspace(0, 1, 6400).reshape(64, 100)\nr = w[3]\np = w[5, 7]",
    "open": "x = torch.arange(12).reshape(2, 2, 3)\nr = x[x % 2 == 0]",
    "solid": "x = torch.arange(30).reshape(5, 2, 3)\nr = x[x > 20]",
}


@pytest.fixture(scope="module")
def picks(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of one script with all the cells above."""
    script = write_cells(tmp_path_factory.mktemp("picks"), CELLS)
    return trace_script(script, root=script.parent)


def test_only_what_a_view_of_a_large_tensor_reads_is_lit(picks: Trace) -> None:
    for name, line in LARGE.items():
        own = picks.of_cell(f"large_{name}")
        step = own.steps[-1]
        operand = step.operands[0].tensor
        assert operand is not None
        places = _viewed(own.tensor(operand), own.tensor(step.results[0]))
        if name in ("turned", "copied"):  # not read as it lies in memory; no view at all
            assert places is None
            continue
        wanted = eval(line, {"x": torch.arange(60_000).reshape(150, 400)})
        assert places is not None
        assert places.tolist() == wanted.flatten().tolist()


@pytest.mark.parametrize("artboard", ARTBOARDS)
def test_the_place_of_an_element_is_reckoned_from_its_indices_and_the_strides(
    trace: Trace, artboard: str
) -> None:
    x = torch.arange(100, 220).reshape(2, 3, 4, 5)
    t = x[1, 0].T
    for line, tensor, indices in (
        ("e = x[1, 2, 3, 4]", x, (1, 2, 3, 4)),
        ("f = t[2, 1]", t, (2, 1)),
    ):
        scene = play_cell(trace, "one_element", artboard, until=line)
        (written,) = [each for each in scene.mobjects if isinstance(each, WrittenLine)]
        told = [part.text for part in written.get_family() if isinstance(part, Label)]
        terms = [[str(i), "×", str(s)] for i, s in zip(indices, tensor.stride(), strict=True)]
        start = [[str(tensor.storage_offset())]] if tensor.storage_offset() else []
        first, *others = [*start, *terms]
        line_told = [*first, *(each for term in others for each in ("+", *term))]
        assert told == [*line_told, "=", str(tensor[indices].storage_offset())]
        assert scene.stage.tape in scene.mobjects
        assert not scene.warnings


def test_what_reads_more_than_one_element_is_not_reckoned(trace: Trace) -> None:
    scene = play_cell(trace, "one_of_a_row", until="r = x[1]")
    assert not [each for each in scene.mobjects if isinstance(each, WrittenLine)]


@pytest.mark.parametrize(
    ("cell", "artboard"),
    list(zip(DEEP, itertools.cycle(ARTBOARDS), strict=False)),
)
def test_rulers_light_what_torch_picks_of_a_block_with_depth(
    picks: Trace, cell: str, artboard: str
) -> None:
    scene, line = play_cell(picks, cell, artboard), DEEP[cell]
    source = MADE[line[0]]
    picked = eval(line, dict(MADE))
    assert not scene.warnings
    axes = [set(axis.tolist()) for axis in np.unravel_index(picked.flatten().numpy(), source.shape)]
    asked = {dim: each for dim, each in enumerate(axes) if len(each) < source.shape[dim]}
    told: dict[int, set[int]] = {}
    for index in lit(scene):
        told.setdefault(index[0] if len(index) > 1 else source.dim() - 1, set()).add(index[-1])
    assert set(told) == set(asked)
    for dim, each in told.items():  # the ends where there is no room for all
        assert each <= asked[dim]
        assert min(asked[dim]) in each


def test_a_cell_that_is_picked_is_covered_by_none_that_is_not(picks: Trace) -> None:
    for cell in ("rows_behind", "columns_through", "cuboids"):
        line = DEEP[cell]
        block = play_cell(picks, cell).block(line[0])
        chosen = np.zeros(block.record.numel, dtype=bool)
        chosen[eval(line, dict(MADE)).flatten().numpy()] = True
        front, pose = chosen & (block.pose.far == block.pose.far[chosen].min()), block.pose
        assert pose.shown[chosen].all()
        assert not block._hidden()[front].any()
        assert (block.dims[~chosen & pose.shown] > 0).all()


def test_a_slab_is_cut_open_to_the_picture_that_is_picked(picks: Trace) -> None:
    scene = play_cell(picks, "batch")
    block = scene.block("z")
    sight = block.sight
    assert sight is not None
    assert (sight.near, sight.back) == (2 / 8, 5 / 8)
    order = block.placement.form.dims
    wanted = scene.stage.fills.image(block.record, order, (2, 0, 0, 0))
    assert len(sight.images) == 3
    result = scene.block("a").image
    assert wanted is not None
    assert result is not None
    assert np.allclose(sight.images[-1], wanted)
    assert np.allclose(result, wanted)


def test_what_is_read_of_a_large_table_keeps_its_colours(picks: Trace) -> None:
    stage = play_cell(picks, "parts").stage
    fills, (w, r, p) = stage.fills, (stage.record(stage.names[name]) for name in "wrp")
    image, row = fills.image(w), fills.colors(r, np.arange(100))
    assert image is not None
    assert np.allclose(row, image[3])
    assert np.allclose(fills.colors(p, np.arange(1))[0], image[5, 7])


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("indices", [[1, 0], [0, 1], [-1, 0], [1, 1]])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (3, 3), (2, 5)])
def test_a_row_of_indices_is_told_along_the_dimension_that_it_picks_from(
    shape: tuple[int, int], indices: list[int], dim: int
) -> None:
    x = torch.arange(math.prod(shape)).reshape(shape)
    picked = x[indices] if dim == 0 else x[:, indices]
    found = _dim_of(np.array(indices), tuple(picked.shape), shape, picked.flatten().numpy())
    other = x[indices] if dim == 1 else x[:, indices]
    assert found == dim or torch.equal(other, picked)


def test_a_row_of_truths_lights_the_rows_that_are_true(picks: Trace) -> None:
    scene = play_cell(picks, KEPT)
    assert lit(scene) == {(0, 2)}
    assert not scene.warnings


def test_a_mask_of_a_block_with_depth_hides_none_that_it_chooses(picks: Trace) -> None:
    for cell, mode, chosen in (
        ("open", "open", torch.arange(12) % 2 == 0),
        ("solid", "solid", torch.arange(30) > 20),
    ):
        scene = play_cell(picks, cell)
        block = scene.block("x")
        assert block.mode == mode
        assert not scene.warnings
        assert block.pose.shown[chosen.numpy()].all()
        near = block.pose.far == block.pose.far[chosen.numpy()].min()
        assert not block._hidden()[near & chosen.numpy()].any()


@pytest.mark.parametrize("index", INDICES)
def test_a_view_is_told_by_its_memory_and_a_copy_by_its_cells(picks: Trace, index: str) -> None:
    x = torch.arange(12).reshape(3, 4)
    r = eval(f"x[{index}]", {"torch": torch, "x": x})
    scene = play_cell(picks, index)
    hops = any(isinstance(each, Hops) for each in scene.mobjects)
    reckoned = any(each.source == "offset" for each in scene.drawn)  # of one element
    is_view = r.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert (hops or reckoned) == is_view
    assert [block.record.shape for block in scene.stage.blocks][-1] == tuple(r.shape)
    assert not scene.warnings


class _Dots(Watching):
    """Notes how wide each dot of a row that is drawn short is, in cells, on every frame."""

    RATE = 15

    def __init__(self) -> None:
        super().__init__()
        self.widths: list[float] = []

    def look(self, scene: LessonScene) -> None:
        """Note the dots of this frame."""
        pixel = scene.canvas.points(np.array([[0.0, 0.0], [1.0, 0.0]]))
        unit = float(pixel[1, 0] - pixel[0, 0])
        for block in (each for each in scene.mobjects if isinstance(each, TensorBlock)):
            self.widths += [
                (dot.points[:, 0].max() - dot.points[:, 0].min()) / unit / block.pose.size
                for dot in block.dots
                if len(dot.points)
            ]


def test_the_dots_of_a_long_row_stay_small_on_their_way(tmp_path: Path) -> None:
    script = write_cells(tmp_path, {"long": "w = torch.rand(128, 784)\nrow = w[0]"})
    watching = _Dots()
    play_cell(trace_script(script, root=script.parent), "long", watching=watching)
    assert watching.widths
    assert max(watching.widths) < 0.25
