"""The parts of the stage that need no scene: numbers, colours, layout, memory, fonts, registry."""

from __future__ import annotations

import itertools
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from torchreel.records import Shape, TensorRecord, TorchReelError
from torchreel.spelling import bare_name
from torchreel.stage import fonts, registry
from torchreel.stage import text as text_module
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.checker import Body, Frame, Lit, Written, flaws, flaws_at_rest, lacking
from torchreel.stage.colors import THEMES, Color, identity, ink_on, mix, rgb, signed
from torchreel.stage.form import form
from torchreel.stage.layout import drawable, modes, place
from torchreel.stage.memory import memory_positions
from torchreel.stage.numerals import write, write_all, write_one
from torchreel.stage.text import ADVANCE, columns, cut, outline, text_width, unknown, wrap


@pytest.mark.parametrize(
    ("value", "chars", "text"),
    [
        (7, 2, "7"),
        (-3, 2, "−3"),
        (123456, 6, "123456"),
        (123456, 3, "1e5"),
        (1234, 3, None),
        (6.0, 3, "6."),
        (0.0, 3, "0."),
        (-0.34, 5, "−0.34"),
        (-0.34, 4, "−.34"),
        (0.02, 4, "0.02"),
        (0.02, 3, ".02"),
        (0.02, 2, None),
        (0.001, 5, "0.001"),
        (0.001, 4, ".001"),
        (-0.008, 4, "−.01"),
        (0.0004, 4, "4e−4"),
        (0.0004, 5, ".0004"),
        (-0.0004, 7, "−0.0004"),
        (0.00004, 7, "4e−5"),
        (12345.6, 3, "1e4"),
        (321.7, 4, "322."),
        (192.5, 6, "192.5"),
        (192.5, 3, None),
        (200.0, 3, "2e2"),
        (1234.5, 6, "1234."),
        (1234.5, 4, None),
        (True, 1, "T"),
        (True, 4, "T"),
        (True, 5, "True"),
        (False, 5, "False"),
        (float("nan"), 3, "nan"),
        (float("-inf"), 4, "−inf"),
        (2.5, 2, None),
    ],
)
def test_a_number_is_written_as_it_fits(value: float, chars: int, text: str | None) -> None:
    assert write(value, chars) == text


def test_all_numbers_of_a_block_have_the_same_decimals() -> None:
    assert write_all(np.array([0.5, -1.25, 2.0]), 5) == ["0.50", "−1.25", "2."]
    assert write_all(np.array([0.5, -1.25, 2.0]), 4) == ["0.5", "−1.2", "2."]
    assert write_all(np.array([0.5, 0.004]), 5) == ["0.500", "0.004"]
    assert write_all(np.array([0.5, -10.25]), 3) is None


def test_no_number_has_a_zero_before_its_point_where_one_has_no_room_for_it() -> None:
    assert write_all(np.array([0.103, -0.041, 0.005, 0.0]), 5) == [".103", "−.041", ".005", "0."]
    assert write_all(np.array([0.5, -0.25, 10.0, np.inf]), 4) == [".50", "−.25", "10.", "inf"]


def test_one_number_of_a_table_is_written_as_it_is_there() -> None:
    table = np.array([[0.103, -0.041], [0.005, 0.0]])
    assert [write_one(table, place, 5) for place in range(4)] == write_all(table, 5)
    assert write_one(np.array([0.25, 12345.6, -123456.0]), 0, 3) == ".25"


def test_a_small_number_beside_a_large_one_is_written_as_that_is() -> None:
    assert write_all(np.array([147.0, 0.005]), 5) == ["147.", "0.005"]
    assert write_all(np.array([147.0, 0.005]), 4) == ["147.", ".005"]


def test_no_text_reads_as_zero_for_a_number_that_is_not() -> None:
    for value in (0.004, 0.04, 0.4, -0.004, 1e-9):
        for chars in range(1, 7):
            text = write(value, chars, 1)
            assert text is None or float(text.replace("−", "-")) != 0


def test_a_small_number_has_an_exponent_only_where_its_digits_have_no_room() -> None:
    assert [write(0.0007, chars) for chars in (6, 5, 4)] == ["0.0007", ".0007", "7e−4"]
    assert [write(-0.00007, chars) for chars in (6, 5)] == ["−7e−5"] * 2
    assert write_all(np.array([0.103, 0.0007]), 5) == [".103", ".0007"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_identity_ramp_gets_lighter_all_the_way(theme: str) -> None:
    luminance = [_luminance(identity(i, 12, THEMES[theme].name)) for i in range(12)]
    assert all(a < b for a, b in itertools.pairwise(luminance))


_EYES = {
    "all hues": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What eyes without one kind of cone see of linear red, green and blue (Machado 2009)."""


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(
    ("eyes", "least"), [("all hues", 4.3), ("protan", 2.6), ("deutan", 2.6), ("tritan", 1.7)]
)
def test_neighbours_on_the_ramp_are_told_apart_and_in_order(
    theme: str, eyes: str, least: float
) -> None:
    colors = np.array([identity(i, 12, THEMES[theme].name) for i in range(12)])
    lab = _oklab(np.clip(_linear(colors) @ np.array(_EYES[eyes]).T, 0, 1))
    assert np.all(np.diff(lab[:, 0]) > 0)
    assert 100 * np.linalg.norm(np.diff(lab, axis=0), axis=1).min() > least


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_digits_contrast_with_every_fill(theme: str) -> None:
    tokens = THEMES[theme]
    fills = [identity(i, 50, tokens.name) for i in range(50)]
    fills += [signed(value, 1.0, tokens.name) for value in np.linspace(-1, 1, 41)]
    for fill in fills:
        assert _contrast(ink_on(fill, tokens), fill) >= 4.2


def test_values_and_zero_have_colours_of_their_own() -> None:
    low, zero, high = (signed(value, 1.0, "dark") for value in (-1.0, 0.0, 1.0))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert np.allclose(signed(0.0, 5.0, "dark"), zero)
    assert max(zero) - min(zero) < 0.05
    assert zero[2] > zero[0]  # nothing of the orange of what is more
    assert np.allclose(signed(float("nan"), 1.0, "dark"), THEMES["dark"].surface)
    assert np.allclose(mix(rgb("#000000"), rgb("#FFFFFF"), 0.5), 0.5)


def _contrast(one: Color, other: Color) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    return float(_linear(color) @ np.array([0.2126, 0.7152, 0.0722]))


def _linear(color: Color) -> Color:
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def _oklab(linear: Color) -> Color:
    """Return OKLab, in which distances are as they look (Ottosson 2020)."""
    lms = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    lab: Color = np.cbrt(lms) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return lab


SHAPES = [
    (),
    (1,),
    (12,),
    (24,),
    (3, 4),
    (2, 6),
    (12, 1),
    (2, 2, 3),
    (3, 4, 5),
    (20, 20),
    (1, 3, 4),
]


_SLABS = [(1000,), (784, 128), (0, 3)]
TOO_LARGE = {
    ("page", True): [*_SLABS, (20, 20)],
    ("page", False): _SLABS,
    ("film", True): _SLABS,
    ("film", False): _SLABS,
}
"""Which of these shapes a slab stands for, with the tape below them or without."""


@pytest.mark.parametrize("artboard", ARTBOARDS)
@pytest.mark.parametrize("shape", [*SHAPES, (1000,), (2, 2, 2, 2), (784, 128), (0, 3)])
@pytest.mark.parametrize("above", [True, False])
def test_a_tensor_stands_inside_its_region(
    artboard: str, shape: tuple[int, ...], above: bool
) -> None:
    board = ARTBOARDS[artboard]
    region = board.stage_above_tape if above else board.stage
    for mode in modes(shape):
        placement = place(shape, region, board, mode=mode, above=above)
        left, top, right, bottom = placement.pose.box
        assert board.margin <= left
        assert right <= board.width - board.margin
        assert region.y <= top
        assert bottom <= region.bottom
        drawn = placement.form
        assert len(placement.brackets) == min(3 if drawn.is_slab else 5, len(shape))
        assert drawn.is_slab or len(placement.elements) == np.prod(shape)
        assert len(placement.pose.corners) == max(1, len(placement.elements))
        assert drawable(shape) or drawn.is_slab
        assert drawn.is_slab == (shape in TOO_LARGE[artboard, above])


def test_a_row_stands_on_the_grid_of_its_memory() -> None:
    board = ARTBOARDS["page"]
    pose = place((12,), board.stage_above_tape, board, above=True).pose
    assert pose.size == board.slot_max
    assert pose.corners[0, 0] == board.tape.center_x - 6 * board.slot_max


def test_cells_of_a_block_stand_side_by_side_in_reading_order() -> None:
    board = ARTBOARDS["page"]
    pose = place((3, 4), board.stage, board).pose
    grid = pose.corners.reshape(3, 4, 2)
    assert np.allclose(np.diff(grid[..., 0], axis=1), pose.size)
    assert np.allclose(np.diff(grid[..., 1], axis=0), pose.size)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12).reshape(3, 4),
        torch.arange(12).reshape(3, 4).t(),
        torch.arange(12)[2:8:2],
        torch.arange(12).reshape(3, 4)[1:, 1:],
        torch.tensor(3),
        torch.arange(3).expand(2, 3),
    ],
)
def test_memory_positions_are_where_torch_reads(tensor: torch.Tensor) -> None:
    record = TensorRecord(
        0, tuple(tensor.shape), tensor.stride(), "int64", "cpu", 0, int(tensor.storage_offset()), 12
    )
    storage = tensor.as_strided((tensor.untyped_storage().nbytes() // 8,), (1,), 0)
    assert np.array_equal(storage.numpy()[memory_positions(record)], tensor.numpy())


def test_an_outline_is_closed_curves_of_the_right_width() -> None:
    points = outline("10", "ExtraBold")
    assert len(points) % 4 == 0
    assert points[:, 0].min() >= 0
    assert points[:, 0].max() <= 2 * ADVANCE
    assert text_width("10", 50) == pytest.approx(60)
    assert outline(" ", "Medium").shape == (0, 2)


FIRE = "\U0001f525"


def test_a_character_that_the_font_lacks_is_taken_from_another() -> None:
    for character in "日★":
        files = (fonts.font_file("ExtraBold"), *fonts.spare_files("ExtraBold"))
        has = [ord(character) in TTFont(file, fontNumber=0).getBestCmap() for file in files]
        assert unknown(character) == ("" if any(has) else character)
        same = np.array_equal(outline(character, "ExtraBold"), outline("\ufffd", "ExtraBold"))
        assert same or any(has)


def test_a_picture_that_no_font_has_is_drawn_as_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_has", lambda character: character.isascii())
    for cached in (columns, unknown, outline, text_module._named):
        cached.cache_clear()
    try:
        name = f":{unicodedata.name(FIRE).lower()}:"
        assert np.array_equal(outline(f"a{FIRE}", "Medium"), outline(f"a{name}", "Medium"))
        assert columns(f"{FIRE}\U0001f3fd") == len(name)
        assert unknown(FIRE) == ""
        assert wrap(f"ab{FIRE}", len(name)) == ["ab", FIRE]
    finally:
        for cached in (columns, unknown, outline, text_module._named):
            cached.cache_clear()


def test_a_character_that_no_font_has_is_one_sign_and_a_flaw() -> None:
    sign = "\U0010fffd"  # of private use
    assert unknown(f"a{sign}é") == sign
    assert np.array_equal(outline(sign, "Medium"), outline("\ufffd", "Medium"))
    written = Written(f"a{sign}", 40, 100, 100, 90, 30)
    (said,) = lacking(Frame([written, written]))
    assert "no font on this machine has" in said


def test_text_is_measured_and_cut_in_columns() -> None:
    assert [columns(text) for text in ("ab", "日本", "e\u0301", "日\ufe0f")] == [2, 4, 1, 2]
    assert text_width("日", 50) == 2 * text_width("a", 50)
    wide = outline("日a", "ExtraBold")[:, 0]
    assert wide.min() >= 0
    assert wide.max() <= 3 * ADVANCE
    assert [cut("日本語", most) for most in (6, 5, 4, 1)] == ["日本語", "日本…", "日…", "…"]


def test_the_first_font_there_is_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "font_folders", lambda: [tmp_path])
    for cached in (fonts.font_file, fonts._installed):
        cached.cache_clear()
    with pytest.raises(TorchReelError, match="no monospace font"):
        fonts.font_file("Medium")
    fonts._installed.cache_clear()
    (tmp_path / "DejaVuSansMono-Bold.ttf").touch()
    assert fonts.font_file("ExtraBold").name == "DejaVuSansMono-Bold.ttf"
    for cached in (fonts.font_file, fonts._installed):
        cached.cache_clear()


def test_a_choreography_is_found_by_the_op() -> None:
    reshape = registry.find("torch.Tensor.reshape")
    assert reshape.tape
    assert registry.find("torch.Tensor.view").play is reshape.play
    assert registry.find("torch.nn.functional.elu").play.__name__ == "named_box"
    assert bare_name("torch.Tensor.T.__get__") == "T"


@pytest.mark.parametrize("op", ["torch.add", "torch.Tensor.add_", "torch.nn.functional.relu"])
def test_what_is_written_in_place_is_told_as_that_by_whatever_op(op: str) -> None:
    assert registry.find(op, "written").play.__name__ == "write"
    assert "stage/ops/write.py" in registry.sources([op])


def test_a_clip_depends_on_the_files_of_its_ops_only() -> None:
    names = set(registry.sources(["torch.arange", "torch.Tensor.reshape"]))
    assert {"stage/director.py", "stage/ops/creation.py", "stage/ops/reshape.py"} <= names
    assert "stage/ops/squeeze.py" not in names
    assert "stage/ops/fallback.py" in registry.sources(["torch.fft.fft"])


def test_finding_sources_imports_neither_manim_nor_torch() -> None:
    code = (
        "import sys; from torchreel.stage import registry, fonts, artboard;"
        "registry.sources(['torch.arange']); fonts.font_files();"
        "sys.exit(any(name in sys.modules for name in ('manim', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


FINE = Written("fine", 40, 100, 100, 90, 30)
BLOCK = Body("the tensor x (3,)", np.array([[300.0, 300, 100, 100], [400, 300, 100, 100]]))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame([FINE], [BLOCK]), ""),
        (Frame([Written("small", 20, 300, 100, 50, 14)]), "'small' is 20 px high, too small"),
        (Frame([Written("cut", 40, 10, 100, 90, 30)]), "'cut' is cut by the edge"),
        (Frame([Written("low", 40, 100, 770, 90, 30)]), "'low' is cut by the edge"),
        (Frame([FINE, Written("over", 40, 150, 110, 90, 30)]), "'fine' and 'over' are written ov"),
        (Frame([Written("y", 40, 420, 340, 20, 30)], [BLOCK]), "'y' stands on the tensor x (3,)"),
        (Frame([Written("7", 40, 420, 340, 20, 30, BLOCK.name)], [BLOCK]), ""),
        (
            Frame([FINE], [BLOCK, Body("the tensor y ()", np.array([[480.0, 350, 100, 100]]))]),
            "the tensor x (3,) and the tensor y () overlap",
        ),
        (
            Frame([FINE], [Body("the bracket 3", np.array([[310.0, 390, 80, 14]]), True), BLOCK]),
            "the bracket 3 and the tensor x (3,) overlap",
        ),
        (
            Frame([FINE], [Body("the tensor y ()", np.array([[300.0, 650, 100, 100]]))]),
            "the tensor y () runs into the names and shapes below",
        ),
        (
            Frame([FINE], outlines=np.array([[1200.0, 300, 100, 20]])),
            "something is cut by the right edge",
        ),
    ],
)
def test_the_checker_sees_what_is_wrong_with_a_frame(frame: Frame, said: str) -> None:
    found = flaws(frame, ARTBOARDS["page"])
    assert len(found) == bool(said)
    assert "".join(found).startswith(said)


def test_the_checker_sees_an_empty_frame_and_two_things_lit() -> None:
    box, apart = (10.0, 10.0, 50.0, 50.0), (100.0, 10.0, 50.0, 50.0)
    frame, four, five = Lit("a frame", box), Lit("'4'", box), Lit("'5'", apart)
    before = Frame([FINE], lit={1: frame, 2: four})
    moved = Frame([FINE], lit={1: replace(frame, points=b"moved"), 3: five})
    kept = Frame([FINE], lit={2: four, 3: five})
    around = Frame([FINE], lit={1: frame, 3: replace(five, box=box)})
    assert flaws_at_rest(around, before) == []
    assert flaws_at_rest(Frame([FINE], staged=False), None) == ["nothing is on the stage"]
    assert flaws_at_rest(before, None) == []
    assert flaws_at_rest(moved, before) == []
    assert flaws_at_rest(kept, before) == ["two things are lit: '4', from an earlier line, and '5'"]


@pytest.mark.parametrize(
    "shape", [(0,), (0, 3), (3, 0), (2, 0, 3), (0, 2, 3), (2, 2, 0), (1, 4, 0)]
)
def test_a_tensor_without_elements_has_no_extent_along_its_zero(shape: Shape) -> None:
    picture = form(shape)
    slices, rows, columns = (None,) * (3 - len(shape)) + shape
    wide, tall = picture.stretch
    drawn = {columns: wide, rows: tall, slices: picture.depth}
    assert picture.is_slab
    assert 0 < drawn[0] < 0.2
    assert wide in (columns, drawn[0])
    assert tall in (rows or 1, drawn[0])
