"""The truth test of the course: every number that a clip of a lesson draws is PyTorch's own.

Each script of the lessons runs twice: once traced, and every cell is played on both artboards; once
more without the tracer. Then each text of the frames, of those within a line too, is compared with
what the second run held, and so are the curves, the bars and the tiles of a training loop.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.replay import Held, Moment, Replay
from tests.stage.conftest import Watching, play_cell
from tests.stage.test_autograd import _reads
from torchreel.records import Backward, Cue, Drawn, Run, Trace
from torchreel.render.scenes import find_scene
from torchreel.render.stock import scene_class
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.canvas import Label
from torchreel.stage.director import LessonScene
from torchreel.stage.nets.shades import boxed, shade
from torchreel.stage.numerals import MINUS
from torchreel.stage.training.curve import LossCurve, ShareBar
from torchreel.stage.training.tiles import Tile, TileShelf
from torchreel.tracer import parse_cells, trace_script

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("lessons/*/*.py"))
CELLS = [
    (script, cell.name)
    for script in SCRIPTS
    for cell in parse_cells((ROOT / script).read_text(encoding="utf-8"), script)
]


@functools.cache
def _runs(script: str) -> tuple[Trace, Replay]:
    """Return the trace of a script and its replay."""
    trace = trace_script(ROOT / script, root=ROOT)
    assert trace.error is None
    wanted = {(run.cell, run.statement, run.lap) for run in trace.runs if run.cell is not None}
    return trace, Replay(ROOT / script, wanted)


@pytest.mark.parametrize(("script", "cell"), CELLS, ids=["-".join(each) for each in CELLS])
def test_every_text_of_a_lessons_clip_is_true(script: str, cell: str) -> None:
    trace, replay = _runs(script)
    oracle = Oracle(trace.of_cell(cell), replay, (ROOT / script).read_text(encoding="utf-8"))
    kind = scene_class(find_scene(ROOT / "scenes", script, cell))
    for artboard in ARTBOARDS:
        watching = Watching()
        scene = play_cell(trace, cell, artboard, kind=kind, watching=watching)
        oracle.cues = scene.cues
        wrong = [drawn for drawn in watching.seen if not oracle.agrees(drawn)]
        assert not wrong, f"{wrong[0]} is drawn on {artboard}, which is not what PyTorch has"
        assert {each.source for each in scene.drawn} - {"code", "sign"}
        assert set(scene.drawn) <= set(watching.seen)


def test_the_oracle_knows_a_lie() -> None:
    """Each text of the clips, changed a little, is found out."""
    told = ["autograd/lesson", "autograd/paths", "autograd/again", "gpu/lesson", "training/lesson"]
    cells = ["backward", "paths", "again", "gpu", "train"]
    for name, cell in zip(told, cells, strict=True):
        script = f"lessons/{name}.py"
        trace, replay = _runs(script)
        oracle = Oracle(trace.of_cell(cell), replay, (ROOT / script).read_text(encoding="utf-8"))
        scene = play_cell(trace, cell, "film")
        oracle.cues = scene.cues
        for drawn in scene.drawn:
            if drawn.source in ("sign", "code", "name", "tick"):
                continue
            text = re.sub(r"\d(?=\D*$)", lambda found: str(int(found[0]) ^ 1), drawn.text)
            lie = Drawn(**{**vars(drawn), "text": text if text != drawn.text else f"{text}Q"})
            assert not oracle.agrees(lie), lie


class _Drawing(Watching):
    """Notes where the curves and the bars of a loop have come to on each frame, and how the tiles
    of its weights look on the last of each cue."""

    def __init__(self) -> None:
        super().__init__()
        self.dots: dict[tuple[Drawn, int, float], float] = {}
        self.shares: dict[Drawn, float] = {}
        self.tiles: dict[int, list[tuple[int, Tile]]] = {}

    def look(self, scene: LessonScene) -> None:
        """Look at the pictures, too."""
        super().look(scene)
        family = [each for mobject in scene.mobjects for each in mobject.get_family()]
        for each in family:
            if isinstance(each, LossCurve) and each.told is not None:
                first = each.bins.first[each.bins.last == each.told.index[1]]
                self.dots[each.told, int(first[0]), _value_at(each)] = _off_by_one(each)
            if isinstance(each, ShareBar) and len(each.shown) == 3:
                bar, told = each.shown[0], each.shown[1]
                assert isinstance(told, Label)
                assert told.source is not None
                self.shares[told.source] = float(bar.width / each.frame.width)
        shelves = [each for each in family if isinstance(each, TileShelf)]
        if shelves:
            self.tiles[len(scene.cues) + 1] = list(
                zip(shelves[0].rows, deepcopy(shelves[0].tiles), strict=True)
            )


def _value_at(curve: LossCurve) -> float:
    """Return the value at a curve's dot, by the numbers beside its axis."""
    labels = [each for each in curve.get_family() if isinstance(each, Label)]
    ticks = [each for each in labels if each.source is not None and each.source.source == "tick"]
    marks = [(each.get_y(), each.text) for each in ticks]
    heights, texts = zip(*marks, strict=True)
    values = [float(text.replace(MINUS, "-")) for text in texts]
    return float(np.polyval(np.polyfit(heights, values, 1), curve.dot.get_y()))


def _off_by_one(curve: LossCurve) -> float:
    """Return how much of a curve's value three pixels of its height are."""
    return 3 * (curve.extent.top - curve.extent.bottom) / curve.plot.height


LOOPS = [each for each in CELLS if each[1] in ("train", "hot", "forgot")]


@pytest.mark.parametrize(("script", "cell"), LOOPS, ids=["-".join(each) for each in LOOPS])
def test_curves_bars_and_tiles_are_where_the_numbers_are(script: str, cell: str) -> None:
    trace, replay = _runs(script)
    own = trace.of_cell(cell)
    for artboard in ARTBOARDS:
        watching = _Drawing()
        scene = play_cell(trace, cell, artboard, watching=watching)
        assert watching.dots
        highest = max(value for _, _, value in watching.dots)
        for (told, first, value), step in watching.dots.items():
            mean = np.mean(_laps(own, replay, told, first))
            assert value == pytest.approx(min(mean, highest), abs=step)
        for told, share in watching.shares.items():
            assert share == pytest.approx(_laps(own, replay, told, told.index[1])[-1], abs=0.03)
        # A lap that is not kept has no weights: then they are those of the last that is.
        kept = max((key for key in replay.moments if key[0] == cell), key=lambda key: key[::-1])
        for cue in scene.cues:
            key = (cell, cue.statement, cue.lap)
            weight = replay.moments[key if cue.laps == 1 else kept].after["layer1.weight"].value
            for row, tile in watching.tiles.get(cue.number, []):
                picture = weight[row].reshape(28, 28).numpy()
                reduced = boxed(picture, tile.zone.height, tile.zone.width)
                colors = shade(reduced, tile.limit, scene.canvas.theme)
                assert np.abs(tile.picture.pixel_array[..., :3] / 255 - colors).max() < 1 / 255


def _laps(trace: Trace, replay: Replay, told: Drawn, first: int) -> list[float]:
    """Return what a series is without the tracer, from a lap to the one that is told."""
    series = trace.series[told.index[0]]
    laps = replay.laps[trace.cells[0].name, series.statement][first - 1 : told.index[1]]
    return [lap[series.name] for lap in laps]


class Oracle:
    """Compares what a cell's clip drew with what the replay of its script held."""

    def __init__(self, trace: Trace, replay: Replay, source: str) -> None:
        self.trace, self.replay, self.source = trace, replay, source
        self.cell = trace.cells[0].name
        self.held: dict[int, Held] = {}
        self.cues: list[Cue] = []
        self._find_tensors()
        for backward in trace.backwards:
            self._find_gradients(backward)

    def agrees(self, drawn: Drawn) -> bool:
        """Tell whether a text is what PyTorch had."""
        check: Callable[[Drawn], bool] = getattr(self, f"_{drawn.source}")
        return check(drawn)

    # Which tensor of the replay each record is of.

    def _find_tensors(self) -> None:
        entered = self.replay.entered[self.cell]
        for name, record in self.trace.names.items():
            self.held[record] = entered[name]
        first = {each.name: each.id for each in reversed(self.trace.tensors) if each.name}
        self._find_parameters(first.items(), entered)
        for stepped in self.trace.optimizers:  # as they met the parameters
            before = self._moment(self.trace.runs[self.trace.steps[stepped.step].run]).before
            self._find_parameters([(each.name, each.before) for each in stepped.updates], before)
        for position, run in enumerate(self.trace.runs):
            moment = self._moment(run)
            after = self._after(position)
            for name, changed in run.changed.items():
                if changed is not None and isinstance(after.get(name), Held):
                    self.held.setdefault(changed, after[name])
            for steps, values in self._made(run, moment):
                for number, held in zip(steps, values, strict=True):
                    self.held |= dict.fromkeys(self.trace.steps[number].results, held)
            for number in run.steps:  # of a model that is built, moves, or that an optimizer steps
                step = self.trace.steps[number]
                made = [(self.trace.tensor(each).name, each) for each in step.results]
                self._find_parameters(made, after)
                used = [each.tensor for each in step.operands if each.tensor is not None]
                names = [self.trace.tensor(each).name for each in used]
                self._find_parameters(zip(names, used, strict=True), moment.before)
                self._find_parameters(zip(names, step.results, strict=False), after)

    def _find_parameters(self, named: Iterable[tuple[str, int]], scope: dict[str, Any]) -> None:
        """Find the records of parameters, by their names in their models."""
        for name, record in named:
            if name in scope:
                self.held.setdefault(record, scope[name])

    def _made(self, run: Run, moment: Moment) -> Iterator[tuple[list[int], list[Held]]]:
        """Yield the steps of a run that made what an expression, or a module, has as its value."""
        steps = [self.trace.steps[number] for number in run.steps]
        for text, values in moment.values.items():
            own = [step.number for step in steps if step.expression == text and step.call is None]
            if len(own) == len(values):
                yield own, values
        parents = {call.parent for call in self.trace.calls}
        calls = {step.call: step.number for step in steps if step.call is not None}
        leaves = [number for call, number in calls.items() if call not in parents]
        if len(leaves) == len(moment.outputs):
            yield leaves, moment.outputs

    def _moment(self, run: Run) -> Moment:
        return self.replay.moments[self.cell, run.statement, run.lap]

    def _after(self, position: int) -> dict[str, Any]:
        """Return what names held after a run: of a loop's own, when its body began."""
        run = self.trace.runs[position]
        statements = {each.number: each for each in self.trace.cells[0].statements}
        if statements[run.statement].kind == "loop" and position + 1 < len(self.trace.runs):
            following = self.trace.runs[position + 1]
            if statements[following.statement].parent == run.statement:
                return self._moment(following).before
        return self._moment(run).after

    def _find_gradients(self, backward: Backward) -> None:
        """Find what crossed: a pass adds to ``.grad``, and each tensor on its way kept its own."""
        run = self.trace.runs[self.trace.steps[backward.step].run]
        before, after = self._moment(run).gradients
        for node in backward.nodes:
            if node.gradient is None or node.tensor not in self.held:
                continue
            live = self.held[node.tensor].live
            found = after.get(id(live))
            if found is not None:
                old = before.get(id(live))
                self._hold(node.gradient, found if old is None else found - old)
        for edge in backward.edges:  # what came back, times the op's own derivative
            source = backward.nodes[edge.source]
            made, arrived = self.held.get(source.tensor or 0), self.held.get(source.gradient or 0)
            if edge.gradient is None or made is None or arrived is None or not made.derivatives:
                continue
            brought = arrived.value.flatten().tolist()
            slopes = [given[edge.input][1] for given in made.derivatives]
            parts = [a * b for a, b in zip(brought, slopes, strict=True) if b is not None]
            if edge.gradient not in self.held and len(parts) == len(brought):
                self._hold(edge.gradient, torch.stack(parts).sum(0))
        for total in backward.accumulations:
            if total.tensor in self.held:
                live = self.held[total.tensor].live
                for record, values in ((total.before, before), (total.after, after)):
                    found = values.get(id(live))
                    if record is not None and found is not None:
                        self._hold(record, found)

    def _hold(self, record: int, value: torch.Tensor) -> None:
        self.held[record] = Held(value, value.stride(), value)

    # One check for each source of a text; a record that the replay does not know agrees with none.

    def _value(self, drawn: Drawn) -> bool:
        held = self.held.get(drawn.tensor if drawn.tensor is not None else -1)
        return held is not None and _reads(drawn.text, held.value[drawn.index].item())

    def _norm(self, drawn: Drawn) -> bool:
        if drawn.tensor is None:
            lap, *numbers = drawn.index
            series = [self.trace.series[each] for each in numbers]
            laps = [self.replay.laps[self.cell, each.statement][lap - 1] for each in series]
            norms = [told[f"{each.name}.grad"] for each, told in zip(series, laps, strict=True)]
            return _reads(drawn.text, math.hypot(*norms))
        held = [self.held.get(each) for each in (drawn.tensor, *drawn.index)]
        norms = [each.value.norm().item() for each in held if each is not None]
        return len(norms) == len(held) and _reads(drawn.text, math.hypot(*norms))

    def _count(self, drawn: Drawn) -> bool:
        """Tell whether a step joins so many tensors, or parts one into so many."""
        step = self.trace.steps[drawn.step if drawn.step is not None else -1]
        used = [each for each in step.operands if each.tensor is not None]
        return drawn.text == str(max(len(used), len(step.results)))

    def _reach(self, drawn: Drawn) -> bool:
        """Tell whether the numbers of a tensor, or what a step changed of them, reach so far."""
        update = next(
            (
                update
                for step in self.trace.optimizers
                for update in step.updates
                if step.step == drawn.step and update.after == drawn.tensor
            ),
            None,
        )
        held = self.held.get(drawn.tensor if drawn.tensor is not None else -1)
        if held is None or (drawn.step is not None and update is None):
            return False
        value = held.value if update is None else held.value - self.held[update.before].value
        text = drawn.text.removeprefix("±").replace(MINUS, "-")
        return float(text) == float(f"{value[drawn.index].abs().max().item():.2g}")

    def _fact(self, drawn: Drawn, fact: Callable[[Held], str]) -> bool:
        held = self.held.get(drawn.tensor if drawn.tensor is not None else -1)
        return held is not None and drawn.text == fact(held)

    def _size(self, drawn: Drawn) -> bool:
        def size(held: Held) -> str:
            return str(held.value.shape[drawn.index[0]] if drawn.index else held.value.numel())

        return self._fact(drawn, size)

    def _shape(self, drawn: Drawn) -> bool:
        if "×" in drawn.text:
            return self._fact(drawn, lambda held: "×".join(map(str, held.value.shape)))
        return self._fact(drawn, lambda held: str(tuple(held.value.shape)))

    def _stride(self, drawn: Drawn) -> bool:
        sign = "+" if drawn.text.startswith("+") else ""
        return self._fact(drawn, lambda held: f"{sign}{held.stride[drawn.index[0]]}")

    def _offset(self, drawn: Drawn) -> bool:
        return self._fact(drawn, lambda held: str(held.live.storage_offset()))

    def _dtype(self, drawn: Drawn) -> bool:
        return self._fact(drawn, lambda held: str(held.value.dtype).removeprefix("torch."))

    def _device(self, drawn: Drawn) -> bool:
        return self._fact(drawn, lambda held: str(held.value.device))

    def _requires_grad(self, drawn: Drawn) -> bool:
        return self._fact(drawn, lambda held: "requires_grad" if held.live.requires_grad else "")

    def _index(self, drawn: Drawn) -> bool:
        dim, place = drawn.index if len(drawn.index) == 2 else (-1, drawn.index[0])
        held = self.held.get(drawn.tensor if drawn.tensor is not None else -1)
        told = {str(place), f"[{place}]"} if len(drawn.index) == 2 else {str(place)}
        return held is not None and drawn.text in told and place < held.value.shape[dim]

    def _name(self, drawn: Drawn) -> bool:
        name = drawn.text.removesuffix("…")
        moments = self.replay.moments.values()
        known = {*self.replay.names, *(key for each in moments for key in each.after)}
        known |= {f"{each}.grad" for each in known}
        cut = drawn.text.endswith("…") and any(each.startswith(name) for each in known)
        return cut or name in known or name in self._modules()

    def _module(self, drawn: Drawn) -> bool:
        return drawn.text in self._modules()

    def _modules(self) -> set[str]:
        """Return the names, classes and parameters' names of all modules of the script."""
        found: set[str] = set()
        for name, module in self.replay.names.items():
            if isinstance(module, nn.Module):
                found |= {name, *(key for key, _ in module.named_parameters())}
                for path, each in module.named_modules():
                    found |= {path, path.rpartition(".")[2], type(each).__name__}
        return found

    def _op(self, drawn: Drawn) -> bool:
        assert drawn.step is not None
        if drawn.text == "+=":  # no line says it: a pass adds to the gradient that was kept
            return self._adds(drawn.step)
        line = self.trace.steps[drawn.step].expression
        return all(part in line for part in drawn.text.split())

    def _adds(self, step: int) -> bool:
        """Tell whether a backward pass made the kept gradients greater by what came back."""
        passes = [each for each in self.trace.backwards if each.step == step]
        totals = [each for one in passes for each in one.accumulations if each.before is not None]
        sums = [(self.held[each.before or 0], self.held[each.after], each) for each in totals]
        return bool(sums) and all(
            torch.equal(before.value + self.held[each.gradient].value, after.value)
            for before, after, each in sums
        )

    def _code(self, drawn: Drawn) -> bool:
        return drawn.text in self.source

    def _symbol(self, drawn: Drawn) -> bool:
        """Tell whether the numbers in an op's symbol stand in its line."""
        assert drawn.step is not None
        line = self.trace.steps[drawn.step].expression
        return all(number in line for number in re.findall(r"[\d.]+|\w+", drawn.text.strip("Σ∇")))

    def _function(self, drawn: Drawn) -> bool:
        return any(each.endswith(drawn.text) for each in self.replay.functions)

    def _derivative(self, drawn: Drawn) -> bool:
        assert drawn.step is not None
        step = self.trace.steps[drawn.step]
        place, operand, own_place = drawn.index
        used = [each.tensor for each in step.operands]
        made, given = self.held[step.results[0]], self.held[used[operand] or 0]
        same = used[:operand].count(used[operand])
        found = [
            gradient
            for node, gradient in made.derivatives[place]
            if node is not None
            and (node is given.live.grad_fn or getattr(node, "variable", None) is given.live)
        ]
        gradient = found[same]
        assert gradient is not None
        value = gradient.expand(given.value.shape).flatten()[own_place].item()
        return _reads(drawn.text.removeprefix("×"), value)

    def _literal(self, drawn: Drawn) -> bool:
        assert drawn.step is not None
        return drawn.text.replace(MINUS, "-") in self.trace.steps[drawn.step].expression

    def _product(self, drawn: Drawn) -> bool:
        assert drawn.step is not None
        first, place, second, other = drawn.index
        operands = [each.tensor for each in self.trace.steps[drawn.step].operands]
        a, b = (self.held[operands[each] or 0].value for each in (first, second))
        return _reads(drawn.text, (a.flatten()[place] * b.flatten()[other]).item())

    def _clash(self, drawn: Drawn) -> bool:
        text = drawn.text.replace("×", "x")
        return any(
            text == type(each).__name__ or re.search(rf"\b{re.escape(text)}\b", str(each))
            for each in self.replay.errors
        )

    def _bytes(self, drawn: Drawn) -> bool:
        """Tell whether so many elements, of so many bytes each, went to another device."""
        assert drawn.step is not None
        step = self.trace.steps[drawn.step]
        used = [self.held[each.tensor] for each in step.operands if each.tensor is not None]
        moved = [each.value for each in used]
        (size,) = {tensor.element_size() for tensor in moved}
        numel = sum(tensor.numel() for tensor in moved)
        told = f"{numel:,} × {size} B = {sum(each.nbytes for each in moved):,} B"
        return drawn.text == told and all(tensor.device.type == "cpu" for tensor in moved)

    def _products(self, drawn: Drawn) -> bool:
        """Tell whether PyTorch counts as many: two operations for each multiplication."""
        call = self.trace.calls[drawn.index[0]]
        model = self.replay.names[self.trace.modules[call.module].name]
        given = self.held[call.operands[0].tensor or 0].value
        with FlopCounterMode(display=False) as counter:
            model(given)
        terms, total = drawn.text.split(" = ")
        sizes = [[int(size) for size in term.split("×")] for term in terms.split(" + ")]
        count = counter.get_total_flops() // 2
        return total == f"{count:,}" and sum(map(math.prod, sizes)) == count

    def _lap(self, drawn: Drawn) -> bool:
        statement, lap, laps = drawn.index
        ran = len(self.replay.laps[self.cell, statement])
        return laps == ran and 1 <= lap <= ran and drawn.text == f"{lap}/{ran}"

    def _series(self, drawn: Drawn) -> bool:
        series = self.trace.series[drawn.index[0]]
        if len(drawn.index) == 1:
            return drawn.text == series.name
        _, first, last = drawn.index
        name = series.name if series.kind == "name" else f"{series.name}.grad"
        laps = self.replay.laps[self.cell, series.statement][first - 1 : last]
        value = float(np.mean([lap[name] for lap in laps]))
        percent = drawn.text.endswith("%")
        return drawn.text == f"{round(100 * value)}%" if percent else _reads(drawn.text, value)

    def _plain(self, drawn: Drawn) -> bool:
        if drawn.tensor is not None:  # what zero_grad left
            cue = self.cues[drawn.cue - 1]
            after = self.replay.moments[self.cell, cue.statement, cue.lap].gradients[-1]
            return drawn.text == str(after[id(self.held[drawn.tensor].live)]) == "None"
        plain = self._after(drawn.index[0])
        return drawn.text in plain or drawn.text in {repr(each) for each in plain.values()}

    def _printed(self, drawn: Drawn) -> bool:
        position, row = drawn.index
        lines = self._moment(self.trace.runs[position]).printed.splitlines()
        if drawn.text.startswith("… "):
            return drawn.text == f"… {len(lines) - row} more lines"
        return drawn.text.removesuffix("…") in lines[row]  # which goes on in more rows

    def _raised(self, drawn: Drawn) -> bool:
        told = [f"{type(each).__name__}: {each}" for each in self.replay.errors]
        return any(drawn.text.removesuffix("…") in each for each in told)

    def _tick(self, drawn: Drawn) -> bool:
        """Tell whether the number beside an axis is a round one that the series comes near."""
        series = self.trace.series[drawn.index[0]]
        laps = self.replay.laps[self.cell, series.statement]
        values = [lap[series.name] for lap in laps]
        number = float(drawn.text.replace("\N{MINUS SIGN}", "-"))
        digits = drawn.text.strip("\N{MINUS SIGN}0.")
        return len(digits) <= 1 and min(0.0, *values) <= number <= max(values)

    def _guess(self, drawn: Drawn) -> bool:
        """Tell whether PyTorch has this loss for scores that are all alike."""
        scores = torch.zeros(1, int(self.held[drawn.tensor or 0].value.shape[drawn.index[0]]))
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0]))
        return drawn.text == f"= {loss.item():.2f}"

    def _along(self, drawn: Drawn) -> tuple[torch.Tensor, int]:
        """Return the row of a tensor in which an element is, along a dimension, and its place."""
        dim, *index = drawn.index
        values = self.held[-1 if drawn.tensor is None else drawn.tensor].value
        place = index[dim] if index else 0
        return values.movedim(dim, -1)[tuple(index[:dim] + index[dim + 1 :])].reshape(-1), place

    def _power(self, drawn: Drawn) -> bool:
        held = self.held.get(drawn.tensor if drawn.tensor is not None else -1)
        return held is not None and _reads(drawn.text, held.value[drawn.index].exp().item())

    def _share(self, drawn: Drawn) -> bool:
        row, place = self._along(drawn)
        return _reads(drawn.text, row.softmax(0)[place].item())

    def _loss(self, drawn: Drawn) -> bool:
        row, place = self._along(drawn)
        loss = torch.nn.functional.cross_entropy(row, torch.tensor(place))
        return _reads(drawn.text, loss.item())

    def _sum(self, drawn: Drawn) -> bool:
        return _reads(drawn.text, round(self._along(drawn)[0].sum().item(), 3))

    def _powersum(self, drawn: Drawn) -> bool:
        return _reads(drawn.text, self._along(drawn)[0].exp().sum().item())

    def _sign(self, drawn: Drawn) -> bool:
        """Tell whether a sign tells no number: of the numbers, only a ring's stations are signs."""
        stations = [str(number) for number in range(1, 5)] if self.trace.loops else []
        return drawn.text in stations or not re.search(r"\d", drawn.text)
