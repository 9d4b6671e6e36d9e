"""Autograd's act: a cell's forward lines grow the graph, its backward lines walk it.

Everything is told by the trace: which steps recorded a graph that a pass of the cell walked, what
crossed its edges in which order, and what was kept in which ``.grad``.
"""

from __future__ import annotations

from collections.abc import Iterator

from manim import FadeOut, Scene

from torchreel.records import Accumulation, Backward, Run, Step, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.graph.fold import compose
from torchreel.stage.graph.placement import Sizes
from torchreel.stage.graph.total import GradientSums
from torchreel.stage.graph.tree import GraphTree
from torchreel.stage.motion import BEAT, QUICK

_RECORD = 1.0
_INTO = 0.4
_CROSS = 0.75
_PASS_MOST = 5.0
"""The most seconds that the waves of one pass take together."""

_AGAIN, _FASTEST = 0.6, 0.35
"""A pass takes this share of the time of the one before, and at least that of the first."""

_HASTE = 0.5
"""A step of a line that does several takes this share of the time."""

_SUM_CELL = {"page": 120.0, "film": 140.0}


class Autograd:
    """Plays the steps of a cell that record, walk, read or empty a graph's gradients.

    :meth:`covers` says which steps these are, :meth:`play` plays one, :meth:`leave` takes what is
    there off the stage.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas, limit: float) -> None:
        self.trace, self.canvas = trace, canvas
        self._scene, self._limit = scene, limit
        self._passes = [each for each in trace.backwards if each.nodes and self._told(each)]
        self._owner: dict[int, Backward] = {}
        for each in reversed(self._passes):
            steps = [node.step for node in each.nodes if node.step is not None]
            self._owner |= dict.fromkeys((*steps, each.step), each)
        self._trees: dict[int, GraphTree | None] = {}
        self._recorded: set[int] = set()
        self.tree: GraphTree | None = None
        self.sums: GradientSums | None = None
        self._kept: dict[int, int] = {}
        self._nothing: list[int] = []
        self._pace = 1.0

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act."""
        if step.number in self._owner:
            return self._tree(self._owner[step.number]) is not None
        if self._reads(step) is not None or self.empties(step):
            return self.tree is not None or self.sums is not None
        return self._comes_in(step) is not None

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        each = self._owner.get(step.number) or self._comes_in(step)
        if each is not None:
            self._enter(each)
            assert self.tree is not None
            if step.number == each.step:
                self._walk(each)
            else:
                self._grow(step)
        elif self.empties(step):
            self._empty(step)
        else:
            self._read(step)

    def printed(self, run: Run) -> None:
        """Point at a ``.grad`` that holds nothing, where a line prints just that."""
        there = self.tree if self.tree is not None else self.sums
        if there is not None and run.printed.strip() == "None" and len(self._nothing) == 1:
            self._scene.play(there.point(*self._nothing))

    def leave(self, run_time: float = QUICK) -> None:
        """Take the graph, or the sums, off the stage."""
        there = [each for each in (self.tree, self.sums) if each is not None]
        if there:
            self._scene.play(*(FadeOut(each, run_time=run_time) for each in there))
            self._scene.remove(*there)
        self.tree = self.sums = None

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        if self.tree is None:
            return ()
        nodes = self.tree.placed.diagram.nodes
        shown = (nodes[number].tensor for number in sorted(self.tree.grown))
        return tuple(dict.fromkeys(tensor for tensor in shown if tensor is not None))

    def empties(self, step: Step) -> bool:
        """Tell whether a step empties a ``.grad`` that the act knows."""
        return bool(self._emptied(step))

    def gradients(self, step: Step) -> list[tuple[str, int]]:
        """Return the names and records of the gradients that a step kept, read or emptied."""
        emptied = self._emptied(step)
        if emptied:
            held = {gradient: tensor for tensor, gradient in self._kept.items()}
            return [(self._name(held[gradient]), gradient) for gradient in emptied]
        each = self._owner.get(step.number)
        if each is not None and step.number == each.step:
            return [(self._name(total.tensor), total.after) for total in each.accumulations]
        read = self._reads(step)
        return [] if read is None else [(self._name(read), step.results[0])]

    # Which steps belong to the act.

    def _told(self, backward: Backward) -> bool:
        """Tell whether a pass is told as a graph: not those of a training loop, which has a
        picture of its own."""
        if not self.trace.optimizers:
            return True
        step = self.trace.steps[backward.step]
        run = self.trace.runs[step.run]
        statements = {each.number: each for each in self.trace.cells[0].statements}
        parent = statements[run.statement].parent if run.statement in statements else None
        while parent is not None:
            if statements[parent].kind == "loop":
                return False
            parent = statements[parent].parent
        return True

    def _comes_in(self, step: Step) -> Backward | None:
        """Return the next pass in whose graph a new tensor is a leaf or data, if there is one."""
        if any(each.tensor is not None for each in step.operands) or not step.results:
            return None
        for each in self._passes:
            tree = self._tree(each) if each.step > step.number else None
            if tree is not None and tree.nodes_of(step.results[0]):
                return each
        return None

    def _reads(self, step: Step) -> int | None:
        """Return the tensor whose ``.grad`` a step reads, if the act knows it."""
        if not step.op.endswith("grad.__get__") or not step.results:
            return None
        tensor = step.operands[0].tensor
        return tensor if tensor in self._kept else None

    def _emptied(self, step: Step) -> dict[int, int | None]:
        """Return which ``.grad`` a step empties, by what was there, and what is there now."""
        held = {gradient: tensor for tensor, gradient in self._kept.items()}
        if step.op.endswith("grad.__set__"):
            gradient = self._kept.get(step.operands[0].tensor or 0)
            to_none = step.operands[-1].literal == "None"
            return {gradient: None} if gradient is not None and to_none else {}
        if bare_name(step.op) not in ("zero_grad", "zero_"):
            return {}
        before = [each.tensor for each in step.operands if each.tensor is not None]
        now: list[int | None] = list(step.results) or [None] * len(before)
        pairs = zip(before, now, strict=False)
        return {gradient: after for gradient, after in pairs if gradient in held}

    # Playing.

    def _enter(self, each: Backward) -> None:
        """Bring the graph of a pass on stage, with all of it that was there before."""
        tree = self._tree(each)
        assert tree is not None
        if self.tree is tree:
            return
        old = [thing for thing in (self.tree, self.sums) if thing is not None]
        made = {result for step in self.trace.steps for result in step.results}
        before = [node.tensor for node in tree.placed.diagram.nodes if node.tensor not in made]
        shown = [*(tensor for tensor in before if tensor is not None), *self._recorded]
        self._scene.add(tree)
        arriving = tree.appear(dict.fromkeys(shown), BEAT)
        tree.keep(self._kept)
        if arriving is not None:
            arriving.interpolate(1.0)
        if old:
            self._scene.play(*(FadeOut(thing, run_time=QUICK) for thing in old))
            self._scene.remove(*old)
        self.tree, self.sums = tree, None

    def _grow(self, step: Step) -> None:
        assert self.tree is not None
        run_time = _RECORD * self._pace * self._haste(step)
        growing = self.tree.record(step.number, run_time)
        if growing is None:
            growing = self.tree.appear(step.results, BEAT)
        self._recorded |= set(step.results)
        if growing is not None:
            self._scene.play(growing)

    def _haste(self, step: Step) -> float:
        """Return the share of its time that a step takes: less where its line does several."""
        return _HASTE if len(self.trace.runs[step.run].steps) > 1 else 1.0

    def _walk(self, each: Backward) -> None:
        assert self.tree is not None
        tree = self.tree
        self._scene.play(tree.start(BEAT * self._pace))
        times = [_CROSS if wave.arrived or wave.part else _INTO for wave in tree.waves]
        pace = self._pace * min(1.0, _PASS_MOST / max(0.1, sum(times)))
        pace *= self._haste(self.trace.steps[each.step])
        for wave, run_time in zip(tree.waves, times, strict=True):
            self._scene.play(tree.cross(wave, run_time * pace))
        self._pace = max(_FASTEST, self._pace * _AGAIN)
        sums = [total for total in each.accumulations if total.before is not None]
        self._kept |= {total.tensor: total.after for total in each.accumulations}
        self._nothing = [each for each in self._nothing if each not in self._kept]
        if sums:
            self._add(sums)

    def _add(self, sums: list[Accumulation]) -> None:
        """Show how what arrived is added to what was kept."""
        self._scene.wait(QUICK)
        there, self.tree = self.tree, None
        board = self.canvas.artboard
        named = [(self._name(total.tensor), total) for total in sums]
        sizes = Sizes(board, _SUM_CELL[board.name])
        emptied = any(self._emptied(step) for step in self.trace.steps)
        self.sums = GradientSums(
            self.canvas, self.trace, named, board.stage, sizes, emptied=emptied
        )
        self._scene.add(self.sums)
        leaving = [] if there is None else [FadeOut(there, run_time=QUICK)]
        self._scene.play(*leaving, self.sums.accumulate())
        if there is not None:
            self._scene.remove(there)

    def _read(self, step: Step) -> None:
        tensor = self._reads(step)
        there = self.tree if self.tree is not None else self.sums
        if tensor is not None and there is not None:
            self._scene.play(there.point(tensor))

    def _empty(self, step: Step) -> None:
        emptied = self._emptied(step)
        there = self.tree if self.tree is not None else self.sums
        if there is not None:
            self._scene.play(there.empty(emptied, step))
        for tensor, gradient in list(self._kept.items()):
            if gradient in emptied:
                now = emptied[gradient]
                del self._kept[tensor]
                if now is not None:
                    self._kept[tensor] = now
                else:
                    self._nothing.append(tensor)

    def _tree(self, each: Backward) -> GraphTree | None:
        if each.step not in self._trees:
            zone = zone_of(self.canvas)
            placed = compose(self.trace, each, zone, self.canvas.artboard)
            self._trees[each.step] = (
                None
                if placed is None
                else GraphTree(self.canvas, self.trace, each, placed, self._limit)
            )
        return self._trees[each.step]

    def _name(self, tensor: int) -> str:
        return next(iter(self._names(tensor)), "")

    def _names(self, tensor: int) -> Iterator[str]:
        for each in self._passes:
            for node in each.nodes:
                if node.tensor == tensor and node.names:
                    yield node.names[-1]
        name = self.trace.tensor(tensor).name
        if name:
            yield name


def zone_of(canvas: Canvas) -> Zone:
    """Return where the graph stands: on the film, autograd's names go below it."""
    stage = canvas.artboard.stage
    return stage if canvas.artboard.code is None else stage.inset(top=6, bottom=70)
