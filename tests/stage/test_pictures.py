"""Pictures against the numbers they are made of: colours, plates, brackets, ink."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.stage.conftest import play_cell, write_cells
from torchreel.records import Trace
from torchreel.stage.colors import THEMES, Color, ink_on
from torchreel.stage.director import LessonScene
from torchreel.stage.focus import Focus, slab_box
from torchreel.stage.plates import TINTS, Solid, photo_of, telling_pixel
from torchreel.stage.slab import SlabDrawing
from torchreel.tracer import trace_script

MAKE = """import numpy as np
import torch

pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
ink = np.floor(np.random.default_rng(1).random((8, 8)) * 17)
"""
CELLS = {
    "bytes": "p = torch.tensor(pixels)",
    "floats": "p = torch.tensor(pixels / 255)",
    "first": "q = torch.tensor(pixels.transpose(2, 0, 1).copy())",
    "either": "i = torch.tensor(pixels[:3, :12].copy())",
    "moved": "n = torch.tensor(pixels).permute(2, 0, 1)",
    "divided": "f = torch.tensor(pixels) / 255",
    "fed": "h = torch.tensor(pixels)\nk = h / 2\nl = h[3]\nu = k.sum(2)",
    "cast": "v = torch.tensor(pixels).float()",
    "pile": "w = torch.tensor(np.stack([ink] * 9))\ny = w.mean(0)",
    "small": "s = torch.tensor(pixels[:2, :3])",
    "batch": "b = torch.tensor(np.stack([pixels, 255 - pixels]))",
    "turned": "t = p.permute(2, 0, 1)",
    "many": "m = torch.tensor(np.stack([pixels] * 9))",
    "grey": "d = torch.tensor(ink)",
    "complex": "c = torch.tensor([1 + 2j, 3j, -4 - 1j])",
    "odd": "o = torch.tensor([float('nan'), float('inf'), -float('inf'), 1.5])",
    "grad": "g = torch.tensor([2.0, 3.0], requires_grad=True)",
    "ranks": "r = torch.zeros(3, 2, 2, 2, 2, 2)",
    "table": "e = torch.arange(64).reshape(8, 8)",
}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    script = write_cells(tmp_path_factory.mktemp("pictures"), CELLS, MAKE)
    return trace_script(script, root=script.parent)


@pytest.fixture(scope="module")
def made() -> dict[str, object]:
    """What the same lines make without the tracer."""
    scope: dict[str, object] = {}
    exec(MAKE + "\n".join(CELLS.values()), scope)
    return scope


def solids(scene: LessonScene) -> list[Solid]:
    """What has colours of its own on stage, the picture before the plates that come from it."""
    found = [each for each in scene.mobjects if isinstance(each, Solid)]
    return sorted(found, key=lambda each: len(each.layers))


def test_plates_come_from_behind_their_picture(traced: Trace) -> None:
    scene = play_cell(traced, "bytes")
    whole, *plates = solids(scene)
    there = scene.mobjects
    assert all(there.index(each) < there.index(whole) for each in plates)


@pytest.mark.parametrize("artboard", ["page", "film"])
@pytest.mark.parametrize("cell", ["bytes", "floats", "first", "turned"])
def test_a_picture_has_its_colours_and_its_plates_theirs(
    traced: Trace, made: dict[str, object], cell: str, artboard: str
) -> None:
    scene = play_cell(traced, cell, artboard)
    assert not scene.warnings
    pixels = np.asarray(made["pixels"])
    whole, *plates = solids(scene)
    shown = whole.picture.pixel_array
    assert np.array_equal(shown[..., :3], pixels)
    assert (shown[..., 3] == 255).all()
    assert len(plates) == 3
    for plate, channel in zip(plates, (2, 1, 0), strict=True):
        share = pixels[..., channel] / 255
        tint = int(TINTS[channel].argmax())
        painted = plate.picture.pixel_array[..., tint].astype(float)
        assert np.corrcoef(painted.ravel(), share.ravel())[0, 1] > 0.999
    record = scene.trace.tensors[-1]
    sizes = {each.index[0]: each.text for each in scene.drawn if each.source == "size"}
    assert sizes == {dim: str(size) for dim, size in enumerate(record.shape)}


@pytest.mark.parametrize(
    ("cell", "axes"),
    [
        ("bytes", {"H": 12, "W": 16, "C": 3}),
        ("first", {"C": 3, "H": 12, "W": 16}),
        ("moved", {"C": 3, "H": 12, "W": 16}),
        ("turned", {}),
        ("divided", {"H": 12, "W": 16, "C": 3}),
        ("batch", {"N": 2, "H": 12, "W": 16, "C": 3}),
        ("floats", {}),
        ("either", {}),
    ],
)
@pytest.mark.parametrize("artboard", ["page", "film"])
def test_dimensions_have_names_where_a_picture_is_certain(
    traced: Trace, cell: str, artboard: str, axes: dict[str, int]
) -> None:
    scene = play_cell(traced, cell, artboard)
    assert not scene.warnings
    shape = scene.trace.tensors[-1].shape
    signs = [each for each in scene.drawn if each.source == "sign" and each.text.endswith("=")]
    told = {each.index[0]: each.text for each in signs if each.cue == len(scene.cues)}
    expected = {dim: f"{name}=" for dim, name in enumerate(axes)}
    assert told == expected
    assert not axes or tuple(axes.values()) == shape


@pytest.mark.parametrize("cell", ["bytes", "first", "small", "batch"])
def test_every_number_beside_a_picture_is_the_tensors(
    traced: Trace, made: dict[str, object], cell: str
) -> None:
    scene = play_cell(traced, cell, "page")
    tensor = made[{"bytes": "p", "first": "q", "small": "s", "batch": "b"}[cell]]
    assert isinstance(tensor, torch.Tensor)
    if cell == "bytes":
        exec(CELLS["bytes"], made)  # p is made twice in the script
        tensor = made["p"]
        assert isinstance(tensor, torch.Tensor)
    numbers = [each for each in scene.drawn if each.source == "value"]
    assert (len(numbers) == 0) == (cell == "batch")
    for each in numbers:
        assert float(each.text) == pytest.approx(float(tensor[each.index]), abs=0.005)
    if cell == "small":
        assert len({each.index for each in numbers}) >= 5, "its first plate has room for numbers"
    assert not scene.warnings


def test_the_pixel_that_is_told_is_the_one_whose_channels_differ_most() -> None:
    colors = np.full((4, 5, 3), 0.5)
    colors[2, 3] = (0.9, 0.1, 0.4)
    assert telling_pixel(colors) == (2, 3)


@pytest.mark.parametrize(("cell", "count"), [("batch", 2), ("many", 3)])
def test_a_batch_is_a_shelf_of_pictures(
    traced: Trace, made: dict[str, object], cell: str, count: int
) -> None:
    scene = play_cell(traced, cell, "page")
    pixels = np.asarray(made["pixels"])
    shown = solids(scene)
    assert len(shown) == count
    assert np.array_equal(shown[0].picture.pixel_array[..., :3], pixels)
    lefts = [each.picture.zone.x for each in shown]
    assert lefts == sorted(lefts)
    assert {each.picture.zone.bottom for each in shown} == {shown[0].picture.zone.bottom}
    assert not scene.warnings


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("artboard", ["page", "film"])
def test_a_grey_picture_is_ink_with_readable_numbers(
    traced: Trace, made: dict[str, object], artboard: str, theme: str
) -> None:
    scene = play_cell(traced, "grey", artboard, theme)
    block, ink = scene.stage.block, np.asarray(made["ink"])
    assert block is not None
    texts, size = block.fitted()
    assert texts is not None
    assert size >= scene.canvas.artboard.floor
    assert [float(text) for text in texts] == ink.ravel().tolist()
    colors = THEMES[theme]
    span = colors.text - colors.surface2
    shares = (block.fills - colors.surface2) @ span / (span @ span)
    assert np.allclose(shares, ink.ravel() / ink.max())
    assert min(_contrast(fill, ink_on(fill, colors)) for fill in block.fills) >= 4
    assert not scene.warnings


def test_complex_numbers_are_written_as_python_writes_them(
    traced: Trace, made: dict[str, object]
) -> None:
    tensor = made["c"]
    assert isinstance(tensor, torch.Tensor)
    values = [
        complex(d.text.replace("\N{MINUS SIGN}", "-"))
        for d in play_cell(traced, "complex", "page").drawn
        if d.source == "value"
    ]
    assert values == tensor.tolist()


def test_what_is_no_number_has_a_colour_of_its_own(traced: Trace) -> None:
    block = play_cell(traced, "odd", "page").stage.block
    assert block is not None
    theme = THEMES["dark"]
    assert np.allclose(block.fills[0], theme.surface)
    assert not np.allclose(block.fills[1], block.fills[2])
    assert _contrast(block.fills[0], theme.error) >= 4


@pytest.mark.parametrize("artboard", ["page", "film"])
def test_a_new_kind_of_tensor_wears_its_badge(traced: Trace, artboard: str) -> None:
    scene = play_cell(traced, "grad", artboard)
    badge = [d.text for d in scene.drawn if d.source in ("dtype", "device", "requires_grad")]
    assert badge == ["float32", "cpu", "requires_grad"]
    assert not scene.warnings
    plain = play_cell(traced, "table", "page").drawn
    assert not [d for d in plain if d.source in ("dtype", "device", "requires_grad")]


@pytest.mark.parametrize("artboard", ["page", "film"])
def test_dimensions_beyond_the_fifth_say_how_often_the_block_comes(
    traced: Trace, artboard: str
) -> None:
    scene = play_cell(traced, "ranks", artboard)
    assert "×3" in {drawn.text for drawn in scene.drawn}
    assert not scene.warnings


def test_numbers_that_were_counted_are_no_ink(traced: Trace) -> None:
    scene = play_cell(traced, "table", "page")
    block = scene.stage.block
    assert block is not None
    assert not scene.stage.fills.is_inked(block.record)


@pytest.mark.parametrize(
    ("value", "is_photo"),
    [
        (torch.zeros(8, 8, 3, dtype=torch.uint8), True),
        (torch.rand(8, 8, 3), True),
        (torch.randn(8, 8, 3), False),
        (torch.zeros(8, 8, 3), False),
        (torch.rand(4, 4, 3), False),
        (torch.zeros(8, 8, 4, dtype=torch.uint8), False),
        (torch.zeros(4, 40, 3, dtype=torch.uint8), False),
        (torch.arange(192).reshape(8, 8, 3), False),
    ],
)
def test_what_is_a_picture(value: torch.Tensor, is_photo: bool, traced: Trace) -> None:
    record = replace(
        traced.tensors[0], shape=tuple(value.shape), dtype=str(value.dtype).removeprefix("torch.")
    )
    assert (photo_of(record, value.numpy()) is not None) == is_photo


def _contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of WCAG."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    low, high = sorted(float(each @ np.array([0.2126, 0.7152, 0.0722])) for each in linear)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("artboard", ["page", "film"])
def test_a_picture_that_feeds_an_op_stands_as_the_picture_that_it_is(
    traced: Trace, made: dict[str, object], artboard: str
) -> None:
    pixels = np.asarray(made["pixels"])
    scene = play_cell(traced, "fed", artboard, until="k = h / 2")
    assert not scene.warnings
    picture, half = scene.stage.blocks
    for block in (picture, half):
        rows, columns, channels = pixels.shape
        assert block.placement.form.sizes == (channels, rows, columns)
        wide, tall = block.placement.form.stretch
        assert wide / tall == pytest.approx(columns / rows)
    assert isinstance(picture.drawing, SlabDrawing)
    assert isinstance(half.drawing, SlabDrawing)
    assert picture.drawing.image is not None
    assert half.drawing.image is not None
    assert np.allclose(picture.drawing.image, pixels / 255)
    # What was computed from it lies as it does; its front is channel 0.
    front = half.drawing.image.sum(axis=-1).ravel()
    assert np.corrcoef(front, pixels[..., 0].ravel())[0, 1] > 0.999


def test_what_an_op_takes_of_a_picture_is_lit_where_it_is(traced: Trace) -> None:
    scene = play_cell(traced, "fed", until="l = h[3]")
    block = scene.stage.blocks[0]
    rows, columns, channels = block.record.shape
    places = np.arange(block.record.numel).reshape(block.record.shape)
    (box,) = Focus(scene.canvas, block)._around(None, None)
    part = slab_box(block, places[3].ravel(), 0.0)
    assert part[2] == pytest.approx(box[2])
    assert part[1] - box[1] == pytest.approx(3 / rows * box[3])
    pixel = slab_box(block, places[0, columns - 1].ravel(), 0.0)
    assert pixel[0] + pixel[2] == pytest.approx(box[0] + box[2])
    assert channels == 3


def test_a_picture_in_another_dtype_is_still_one(traced: Trace, made: dict[str, object]) -> None:
    scene = play_cell(traced, "cast", "page")
    assert not scene.warnings
    whole, *plates = solids(scene)
    assert np.array_equal(whole.picture.pixel_array[..., :3], np.asarray(made["pixels"]))
    assert len(plates) == 3


@pytest.mark.parametrize("artboard", ["page", "film"])
def test_a_pile_of_tables_of_ink_is_a_shelf(
    traced: Trace, made: dict[str, object], artboard: str
) -> None:
    scene = play_cell(traced, "pile", artboard, until="w = torch.tensor(np.stack([ink] * 9))")
    assert not scene.warnings
    ink = np.asarray(made["ink"])
    first, second, last = solids(scene)
    for solid in (first, second, last):
        shown = solid.picture.pixel_array[..., :3].astype(float).sum(axis=-1)
        assert np.corrcoef(shown.ravel(), ink.ravel())[0, 1] > 0.999
    sizes = {each.index[0]: each.text for each in scene.drawn if each.source == "size"}
    assert sizes == {dim: str(size) for dim, size in enumerate(np.stack([ink] * 9).shape)}
    signs = [each.text for each in scene.drawn if each.source == "sign"]
    assert not any(text.endswith("=") for text in signs), "nobody knows what these dims are"
