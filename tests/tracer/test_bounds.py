"""What is kept of large tensors and of long runs, and that a trace stays small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from torchreel.records import Statistics, TensorRecord, Trace
from torchreel.store import write_trace
from torchreel.tracer import budget, trace_script
from torchreel.tracer.cells import parse_script
from torchreel.tracer.places import Places
from torchreel.tracer.probes import ENTER, LAP, LEAVE, probe
from torchreel.tracer.recorder import Recorder
from torchreel.tracer.tensors import Tensors
from torchreel.tracer.textures import texture_of

LARGE = """
import torch

torch.manual_seed(5)
huge = torch.ones(10**8)
huge[-1] = 3
cut = huge[:50_000_000].view(5000, -1)
endless = torch.zeros(1).expand(10**12)
many = list(torch.ones(5000, 2).unbind(0))
stacked = torch.stack(many)

lap = 0
while lap < 100_000:
    lap += 1
after = torch.tensor(lap)

t = torch.zeros(())
def down(n):
    global t
    if n:
        down(n - 1)
    t = t + n
for _ in range(3):
    for _ in range(3):
        for _ in range(50):
            down(120)
last = t + 1
"""
MEMORY = 2 << 30
"""Enough for the script's tensors, not for one of them as float64 beside them."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    root = tmp_path_factory.mktemp("project")
    (root / "large.py").write_text(LARGE)
    traced = trace_script(Path("large.py"), root=root, memory=MEMORY)
    assert traced.error is None
    return traced


def held(trace: Trace, name: str) -> TensorRecord:
    return trace.tensor(trace.names_after("large")[name])


def test_a_tensor_of_a_hundred_million_elements_is_a_texture(large: Trace) -> None:
    huge = held(large, "huge")
    assert huge.id not in large.values
    assert huge.statistics is not None
    assert (huge.statistics.min, huge.statistics.max) == (1.0, 3.0)
    assert huge.statistics.mean == pytest.approx(1 + 2e-8)
    texture = large.arrays[huge.texture or ""]
    assert texture.shape == (128,)
    assert texture[:127].tolist() == [1.0] * 127
    assert texture[127] == pytest.approx(1 + 2 / 781_250)
    assert held(large, "cut").statistics == Statistics(1.0, 1.0, 1.0, 0.0)
    assert held(large, "endless").statistics is None


def test_the_trace_of_a_hundred_thousand_laps_is_small(large: Trace, tmp_path: Path) -> None:
    write_trace(large, tmp_path)
    assert (tmp_path / "trace.json").stat().st_size < 12e6
    assert (tmp_path / "values.safetensors").stat().st_size < 4e6
    (laps,) = [loop for loop in large.loops if loop.laps == 100_000]
    assert len(laps.kept) == 12
    (series,) = [each for each in large.series if each.name == "lap"]
    assert len(large.arrays[series.array]) <= 10_000
    assert large.values[held(large, "after").id] == 100_000


def test_a_call_of_many_tensors_names_the_first_ones(large: Trace) -> None:
    (stack,) = [step for step in large.steps if step.op == "torch.stack"]
    assert len(stack.operands) == budget.TENSORS
    assert held(large, "stacked").shape == (5000, 2)


def test_the_rest_of_a_long_statement_runs_unobserved(large: Trace) -> None:
    steps = [step for step in large.steps if step.expression == "t + n"]
    assert 5_000 < len(steps) <= budget.STEPS
    total = np.float32(sum(range(121)) * 450)
    assert large.values[held(large, "last").id] == total + 1


def test_when_a_trace_is_full_the_names_are_right_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "BYTES", 20_000)
    lines = [f"x{i} = torch.full((2,), {i})" for i in range(200)]
    source = "\n".join(["import torch", *lines, "x0 += 5"])
    recorder = Recorder(
        parse_script(source, "full.py"), Places(parse_script(source, "full.py"), "full.py")
    )
    code = compile(probe(parse_script(source, "full.py")), "full.py", "exec")
    scope = {ENTER: recorder.enter, LEAVE: recorder.leave, LAP: recorder.lap}
    with recorder:
        exec(code, scope)
    recorder.finish()
    assert 5 < len(recorder.steps) < 30
    names: dict[str, int | None] = {}
    for run in recorder.runs:
        names.update(run.changed)
    kept = recorder.tensors.values
    assert {name: kept[id or 0][0] for name, id in names.items()} == {
        f"x{i}": i + 5 * (i == 0) for i in range(200)
    }


SHAPES = [
    (10_001,),
    (300, 200),
    (7, 50, 600),
    (3, 1, 131, 129),
    (2, 100_000),
    (600_000, 2),
    (128, 784),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_a_texture_is_the_means_of_boxes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    tensor = (torch.randn(shape) * 9).to(dtype)
    told = texture_of(tensor)
    assert told is not None
    texture, statistics = told
    wide = tensor.double()
    rows = wide.reshape(-1, shape[-1])
    boxes = texture.reshape(-1, texture.shape[-1])
    assert texture.shape == tuple(min(128, n) for n in rows.shape)[2 - texture.ndim :]
    for row, column in [(0, 0), (len(boxes) - 1, boxes.shape[1] - 1), (len(boxes) // 2, 1)]:
        part = rows[edges(row, len(boxes), len(rows))]
        box = part[:, edges(column, boxes.shape[1], shape[-1])]
        assert boxes[row, column] == pytest.approx(box.mean().item(), abs=1e-5)
    expected = [wide.min(), wide.max(), wide.mean(), wide.std()]
    numbers = [statistics.min, statistics.max, statistics.mean, statistics.std]
    assert numbers == pytest.approx([each.item() for each in expected], abs=1e-9)


def edges(box: int, boxes: int, size: int) -> slice:
    return slice(box * size // boxes, (box + 1) * size // boxes)


def test_a_texture_of_what_is_turned_or_strided_is_the_same() -> None:
    tensor = torch.randn(500, 400)
    for view in (tensor.t(), tensor[:, ::2], torch.randn(9, 60, 70).permute(2, 0, 1)):
        told, copied = texture_of(view), texture_of(view.contiguous())
        assert told is not None
        assert copied is not None
        assert np.allclose(told[0], copied[0], atol=1e-6)
        assert told[1].mean == pytest.approx(copied[1].mean, abs=1e-9)


def test_what_is_not_finite_is_counted_and_shows() -> None:
    tensor = torch.ones(6000)
    tensor[:3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    told = texture_of(tensor)
    assert told is not None
    assert told[1] == Statistics(1.0, 1.0, 1.0, 0.0, nan=1, inf=2)
    assert np.isnan(told[0][0])
    nowhere = texture_of(torch.full((6000,), float("nan")))
    assert nowhere is not None
    assert nowhere[1] == Statistics(None, None, None, None, nan=6000)


@pytest.mark.parametrize("size", [4096, 131_072, 131_073])
def test_up_to_131072_elements_are_kept_whole(size: int) -> None:
    tensors = Tensors()
    tensor = torch.arange(size, dtype=torch.float32)
    record = tensors.record(tensor)
    if size > 131_072:
        assert record not in tensors.values
        assert tensors.records[record].texture == f"texture{record}"
    else:
        assert np.array_equal(tensors.values[record], tensor.numpy())
        assert tensors.records[record].statistics is None
    assert tensors.record(tensor) == record, "nothing was written"
    assert tensors.record(tensor.clone()) != record
    tensor[0] = 7
    assert tensors.record(tensor) > record


def test_a_write_past_the_counter_of_a_larger_tensor_is_seen_after_unseen_laps() -> None:
    tensors = Tensors()
    tensor = torch.zeros(10_000)
    record = tensors.record(tensor)
    tensor.numpy()[3] = 5
    assert tensors.record(tensor) == record, "not looked at again"
    tensors.slept()
    again = tensors.record(tensor)
    assert again != record
    assert tensors.values[again][3] == 5


def test_values_stay_within_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchreel.tracer.values.SMALL_BYTES", 100_000)
    monkeypatch.setattr("torchreel.tracer.values.WHOLE_BYTES", 1_000_000)
    monkeypatch.setattr("torchreel.tracer.values.TEXTURE_BYTES", 100_000)
    tensors = Tensors()
    for number in range(20):
        tensors.record(torch.full((4096,), float(number)))
        tensors.record(torch.full((300, 300), float(number)))
    assert sum(array.nbytes for array in tensors.values.values()) <= 1_100_000
    assert sum(array.nbytes for array in tensors.arrays.values()) <= 100_000
    assert len(tensors.arrays) > 1
    last = tensors.records[-1]
    assert (last.texture, last.statistics) == (None, Statistics(19.0, 19.0, 19.0, 0.0))
    assert all(record.statistics for record in tensors.records if record.id not in tensors.values)


def test_of_a_large_complex_tensor_no_texture_is_made_up() -> None:
    tensors = Tensors()
    record = tensors.record(torch.ones(400, 400, dtype=torch.complex64))
    told = tensors.records[record]
    assert (told.texture, told.statistics) == (None, None)
    assert record not in tensors.values


def run(source: str) -> Recorder:
    """Run a script under a recorder in this process, which keeps what torch is."""
    script = parse_script(source, "bounded.py")
    recorder = Recorder(script, Places(script, "bounded.py"))
    code = compile(probe(parse_script(source, "bounded.py")), "bounded.py", "exec")
    scope = {ENTER: recorder.enter, LEAVE: recorder.leave, LAP: recorder.lap}
    with pytest.MonkeyPatch.context() as patch:
        autograd: Any = torch.autograd
        patch.setattr(autograd, "_engine_run_backward", autograd._engine_run_backward)
        patch.setattr(autograd.Function, "apply", autograd.Function.__dict__["apply"])
        recorder.autograd.install()
        with recorder:
            exec(code, scope)
    recorder.finish()
    return recorder


def test_backward_passes_and_provenance_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "BYTES", 300_000)
    chain = "x = torch.ones(1, requires_grad=True)\ny = x\n" + "y = y * 2\n" * 30
    recorder = run("import torch\n" + chain + "y.backward(retain_graph=True)\n" * 100)
    assert 3 < len(recorder.autograd.backwards) < 50
    told = [recorder.runs, recorder.steps, recorder.tensors.records, recorder.autograd.backwards]
    written = len(msgspec.json.format(msgspec.json.encode(told), indent=1))
    assert 200_000 < written < 400_000, "about so many bytes as may be: one pass takes 25,000"


def test_maps_of_provenance_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchreel.tracer.provenance.MOST_KEPT", 1_000)
    monkeypatch.setattr("torchreel.tracer.provenance.MOST_STEPS", 40)
    lines = [f"z = torch.full((8, 8), {i}.5) * torch.arange(8.0)" for i in range(1, 60)]
    recorder = run("\n".join(["import torch", *lines]))
    arrays = recorder.provenances.arrays.values()
    assert 1_000 <= sum(len(array) for array in arrays) < 1_000 + 2 * 128
    kinds = [each for step in recorder.steps for each in step.provenance]
    assert {each.reason for each in kinds} == {"", "too much was measured before it"}


KINDS = [
    (torch.tensor([1.5, -2.0], dtype=torch.bfloat16), [1.5, -2.0]),
    (torch.tensor([1.5, -2.0]).to(torch.float8_e4m3fn), [1.5, -2.0]),
    (torch.tensor([1 + 2j, 3 - 1j]), [[1, 2], [3, -1]]),
    (torch.tensor([1 + 2j, 3 - 1j]).conj(), [[1, -2], [3, 1]]),
    (torch.tensor([1 + 2j, 3 - 1j]).conj().imag, [-2, 1]),
    (torch.view_as_complex(torch.tensor([[1.0, 2.0]], dtype=torch.half)), [[1, 2]]),
    (torch.tensor([True, False]), [True, False]),
    (torch.tensor([1, 2], dtype=torch.uint16), [1, 2]),
    (torch.eye(2).to_sparse(), None),
    (torch.ones(2, device="meta"), None),
    (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), None),
    (FakeTensorMode().from_tensor(torch.ones(2)), None),
    (torch.empty(2, dtype=torch.bits8), None),
    (torch.arange(6.0).reshape(2, 3).t()[1:, ::1], [[1, 4], [2, 5]]),
]


@pytest.mark.parametrize(("tensor", "values"), KINDS, ids=lambda each: str(type(each)))
def test_every_kind_of_tensor_is_recorded_and_read_where_it_can_be(
    tensor: torch.Tensor, values: list[object] | None
) -> None:
    tensors = Tensors()
    record = tensors.record(tensor)
    assert tensors.records[record].dtype == str(tensor.dtype).removeprefix("torch.")
    kept = tensors.values.get(record)
    assert (kept.tolist() if kept is not None else None) == values
