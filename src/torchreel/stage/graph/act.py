"""Autograd's act: a cell's forward lines grow the graph, its backward lines walk it.

Everything is told by the trace: which steps recorded a graph that a pass of the cell walked, what
crossed its edges in which order, and what was kept in which ``.grad``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from manim import FadeOut, Scene

from torchreel.records import Accumulation, Backward, Drawn, Run, Step, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import Named
from torchreel.stage.graph.diagram import Node
from torchreel.stage.graph.fold import compose
from torchreel.stage.graph.placement import Sizes
from torchreel.stage.graph.total import GradientSums, Sum
from torchreel.stage.graph.tree import GraphTree
from torchreel.stage.motion import BEAT, QUICK
from torchreel.stage.strip import Sentence

_RECORD = 1.0
_INTO = 0.4
_CROSS = 0.75
_PASS_MOST = 5.0
"""The most seconds that the waves of one pass take together."""

_AGAIN, _FASTEST = 0.6, 0.35
"""A pass takes this share of the time of the one before, and at least that of the first."""

_CATCH_UP = 1.2
"""The most seconds in which what was played elsewhere is recorded when the graph comes on stage."""

_HASTE = 0.5
"""A step of a line that does several takes this share of the time."""

_SUM_CELL = {"page": 120.0, "film": 140.0}


class Autograd:
    """Plays the steps of a cell that record, walk, read or empty a graph's gradients.

    :meth:`covers` says which steps these are, :meth:`play` plays one, :meth:`leave` takes what is
    there off the stage. A step that is played ``elsewhere``, by the network that it is part of, is
    recorded when the graph comes on stage after it.
    """

    def __init__(
        self,
        scene: Scene,
        trace: Trace,
        canvas: Canvas,
        limit: float,
        elsewhere: Callable[[Step], bool],
    ) -> None:
        self.trace, self.canvas = _without_complex(trace), canvas
        self._scene, self._limit, self._elsewhere = scene, limit, elsewhere
        self._passes = [each for each in trace.backwards if each.nodes and self._told(each)]
        self._owner: dict[int, Backward] = {}
        for each in reversed(self._passes):
            steps = [node.step for node in each.nodes if node.step is not None]
            self._owner |= dict.fromkeys((*steps, each.step), each)
        self._apart = {
            each.step for each in self._passes if any(map(elsewhere, self._forward(each)))
        }
        self._trees: dict[int, GraphTree | None] = {}
        self._recorded: set[int] = set()
        self.tree: GraphTree | None = None
        self.sums: GradientSums | None = None
        self._kept: dict[int, int] = {}
        self._nothing: list[int] = []
        self._pace = 1.0

    @property
    def _there(self) -> GraphTree | GradientSums | None:
        """What is on stage: the graph, or the sums after it."""
        return self.tree if self.tree is not None else self.sums

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act."""
        if self._elsewhere(step):
            return False
        if step.number in self._owner:
            return self._tree(self._owner[step.number]) is not None
        if self._reads(step) is not None or self._emptied(step):
            return self._there is not None
        if self._fails(step) or self._is_beside(step):
            return True
        return self._comes_in(step) is not None

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        each = self._owner.get(step.number) or self._comes_in(step)
        if each is not None:
            self._enter(each, step)
            assert self.tree is not None
            if step.number == each.step:
                self._walk(each)
            else:
                self._grow(step)
        elif self._emptied(step):
            self._empty(step)
        elif self._fails(step):
            self._scene.wait(BEAT)  # nothing flows
        elif self._is_beside(step):
            self._grow(step)
        else:
            self._read(step)

    def skips(self, step: Step) -> bool:
        """Tell whether a step only reads a ``.grad`` for the next step of its line, which shows
        it."""
        last = self.trace.runs[step.run].steps[-1]
        unseen = self._there is None
        return self._reads(step) is not None and unseen and step.number != last

    def only_says(self, step: Step) -> bool:
        """Tell whether a step lets a ``.grad`` that is not on stage hold nothing: for that there is
        no picture."""
        emptied = self._emptied(step)
        unseen = self._there is None
        return bool(emptied) and unseen and all(now is None for now in emptied.values())

    def note(self, step: Step) -> None:
        """Note what a step leaves of a ``.grad`` that is not on stage: what is written in place is
        another tensor from then on, with the same ``.grad``."""
        if step.written and step.results and step.operands[0].tensor in self._kept:
            self._kept[step.results[0]] = self._kept.pop(step.operands[0].tensor)
        for tensor, now in self._emptied(step).items():
            self._leave_in(tensor, now)

    def tells(self, run: Run) -> bool:
        """Tell whether what a line printed is a ``.grad`` that is pointed at."""
        if self._prints_nothing(run):
            return True
        steps = [self.trace.steps[number] for number in run.steps]
        return bool(steps) and all(self._reads(step) is not None for step in steps)

    def printed(self, run: Run) -> None:
        """Point at a ``.grad`` that holds nothing, where a line prints just that."""
        if self._there is not None and self._prints_nothing(run):
            self._scene.play(self._there.point(*self._nothing))

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

    def sentence(self, step: Step) -> Sentence | None:
        """Return what the strip says of a step: which ``.grad`` it kept, read or emptied; None
        where it did nothing of that."""
        emptied = self._emptied(step)
        if emptied:
            before = tuple(self._named(tensor, self._kept[tensor]) for tensor in emptied)
            now = tuple(self._named(*each) for each in emptied.items())
            return Sentence(before, step, now, _word_of(step))
        each = self._owner.get(step.number)
        if each is not None and step.number == each.step:
            totals = _in_order(each.accumulations)
            kept = [self._named(total.tensor, total.after) for total in totals]
            held = [
                self._named(total.tensor, total.before)
                for total in totals
                if total.before is not None
            ]
            if held:
                added = Drawn(0, "+=", "op", step=step.number)
                return Sentence(tuple(held), step, tuple(kept), added)
        else:
            read = self._reads(step)
            kept = [] if read is None else [self._named(read, step.results[0])]
        return Sentence((), None, tuple(kept)) if kept else None

    def sentence_of_printed(self, run: Run) -> Sentence | None:
        """Return what the strip says of a line that printed a ``.grad`` that holds nothing."""
        if not self._prints_nothing(run):
            return None
        return Sentence((), None, tuple(self._named(each, None) for each in self._nothing))

    # Which steps belong to the act.

    def _told(self, backward: Backward) -> bool:
        """Tell whether a pass is told as a graph: not those of a training loop, which has a
        picture of its own."""
        if not self.trace.optimizers:
            return True
        run = self.trace.runs[self.trace.steps[backward.step].run]
        return not self.trace.cells[0].loops_around(run.statement)

    def _comes_in(self, step: Step) -> Backward | None:
        """Return the next pass in whose graph a new tensor is a leaf or data, if there is one."""
        if any(each.tensor is not None for each in step.operands) or not step.results:
            return None
        for each in self._passes:
            if each.step in self._apart:
                continue  # what goes into a network is a box until the graph comes
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

    def _fails(self, step: Step) -> bool:
        """Tell whether a step is a pass that raised, from a tensor of the graph that is there."""
        begins = bare_name(step.op) in ("backward", "grad")
        given = {each.tensor for each in step.operands}
        return step.clash is not None and begins and not given.isdisjoint(self.tensors)

    def _is_beside(self, step: Step) -> bool:
        """Tell whether a step makes something on the way that no gradient goes to, in a line that
        grows the graph that is there: for that the graph does not leave."""
        steps = self.trace.runs[step.run].steps
        if self.tree is None or not step.results or step.number == steps[-1]:
            return False
        records = [self.trace.tensor(each) for each in step.results]
        owners = {self._owner.get(each) for each in steps}
        trees = [self._trees.get(each.step) for each in owners if each is not None]
        return self.tree in trees and not any(each.requires_grad for each in records)

    def _emptied(self, step: Step) -> dict[int, int | None]:
        """Return of which tensors a step empties the ``.grad``, and what that holds now."""
        name = bare_name(step.op)
        if step.op.endswith(("grad.__set__", "grad.__delete__")):
            tensor = step.operands[0].tensor
            to_none = name == "__delete__" or step.operands[-1].literal == "None"
            return {tensor: None} if tensor in self._kept and to_none else {}
        if name not in ("zero_grad", "zero_"):
            return {}
        before = [each.tensor for each in step.operands if each.tensor is not None]
        now: list[int | None] = list(step.results) or [None] * len(before)
        held = {gradient: tensor for tensor, gradient in self._kept.items()}
        pairs = zip(before, now, strict=False)
        return {held[gradient]: after for gradient, after in pairs if gradient in held}

    def _prints_nothing(self, run: Run) -> bool:
        return run.printed.strip() == "None" and len(self._nothing) == 1

    # Playing.

    def _enter(self, each: Backward, step: Step) -> None:
        """Bring the graph of a pass on stage, with all of it that was there before."""
        tree = self._tree(each)
        assert tree is not None
        if self.tree is tree:
            return
        old = [thing for thing in (self.tree, self.sums) if thing is not None]
        diagram = tree.placed.diagram
        made = {result for step in self.trace.steps for result in step.results}
        given = set(range(len(diagram.nodes))) - {link.target for link in diagram.links}
        before = [diagram.nodes[number].tensor for number in sorted(given)]
        shown = [each for each in before if each is not None and each not in made]
        self._scene.add(tree)
        arriving = tree.appear(dict.fromkeys([*shown, *self._recorded]), BEAT)
        tree.keep(self._held(each, step))
        if arriving is not None:
            arriving.interpolate(1.0)
        if old:
            self._scene.play(*(FadeOut(thing, run_time=QUICK) for thing in old))
            self._scene.remove(*old)
        self.tree, self.sums = tree, None
        self._catch_up(each, step)

    def _held(self, each: Backward, step: Step) -> dict[int, int]:
        """Return what ``.grad`` of the tensors of a pass holds when a step comes: nothing that a
        later pass leaves there."""
        later = {
            total.after
            for other in self.trace.backwards
            if other.step >= step.number
            for total in other.accumulations
        }
        before = {total.tensor: total.before for total in each.accumulations}
        held = before | self._kept
        return {
            tensor: gradient
            for tensor, gradient in held.items()
            if gradient is not None and gradient not in later
        }

    def _forward(self, each: Backward) -> list[Step]:
        """Return the steps that a pass walks, in the order in which they ran."""
        numbers = {node.step for node in each.nodes if node.step is not None}
        return [self.trace.steps[number] for number in sorted(numbers)]

    def _catch_up(self, each: Backward, step: Step) -> None:
        """Record what ran before a step comes: at once what was seen in the graph of another pass,
        quickly what was played elsewhere."""
        assert self.tree is not None
        before = [own for own in self._forward(each) if own.number < step.number]
        quickly = min(QUICK, _CATCH_UP / max(1, len(before)))
        for own in before:
            growing = self.tree.record(own.number, quickly)
            if growing is not None and self._recorded.issuperset(own.results):
                growing.interpolate(1.0)
            elif growing is not None:
                self._scene.play(growing)
            self._recorded |= set(own.results)

    def _grow(self, step: Step) -> None:
        assert self.tree is not None
        run_time = _RECORD * self._pace * self._haste(step)
        growing = self.tree.record(step.number, run_time)
        if growing is None:
            growing = self.tree.appear(step.results, BEAT)
        self._recorded |= set(step.results)
        if growing is not None and self._scene.renderer.time == 0:
            growing.interpolate(1.0)  # what a clip begins with is there at once
            self._scene.wait(growing.run_time)
        elif growing is not None:
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
        sums = [total for total in _in_order(each.accumulations) if total.before is not None]
        self._kept |= {total.tensor: total.after for total in each.accumulations}
        self._nothing = [each for each in self._nothing if each not in self._kept]
        if sums:
            self._add(sums)

    def _add(self, sums: list[Accumulation]) -> None:
        """Show how what arrived is added to what was kept."""
        self._scene.wait(QUICK)
        there, self.tree = self.tree, None
        board = self.canvas.artboard
        sizes = Sizes(board, _SUM_CELL[board.name])
        shown = [self._sum(total, there) for total in sums]
        self.sums = GradientSums(self.canvas, self.trace, shown, board.stage, sizes, self._limit)
        self._scene.add(self.sums)
        leaving = [] if there is None else [FadeOut(there, run_time=QUICK)]
        self._scene.play(*leaving, self.sums.accumulate())
        if there is not None:
            self._scene.remove(there)

    def _sum(self, total: Accumulation, tree: GraphTree | None) -> Sum:
        """Return a sum with its tensor as the graph drew it."""
        found = [] if tree is None else tree.nodes_of(total.tensor)
        node = Node("tensor", 0, total.tensor, name=self._name(total.tensor), parameter=True)
        if tree is None or not found:
            return Sum(node, total)
        drawn = tree.placed.diagram.nodes[found[0]]
        node = replace(node, parameter=drawn.parameter)
        return Sum(node, total, tree.colors(found))

    def _read(self, step: Step) -> None:
        tensor = self._reads(step)
        if tensor is not None and self._there is not None:
            self._scene.play(self._there.point(tensor))

    def _empty(self, step: Step) -> None:
        emptied = self._emptied(step)
        if self._there is not None:
            self._scene.play(self._there.empty(emptied, step))
        for tensor, now in emptied.items():
            self._leave_in(tensor, now)

    def _leave_in(self, tensor: int, now: int | None) -> None:
        """Note what a step left in the ``.grad`` of a tensor."""
        if now is None:
            del self._kept[tensor]
            self._nothing.append(tensor)
        else:
            self._kept[tensor] = now

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

    def _named(self, tensor: int, gradient: int | None) -> Named:
        """Return the ``.grad`` of a tensor, which holds a gradient or nothing."""
        name = self._name(tensor)
        record = self.trace.tensor(tensor if gradient is None else gradient)
        return Named(
            f"{name}.grad" if name else None, record, gradient=True, nothing=gradient is None
        )

    def _name(self, tensor: int) -> str:
        return next(iter(self._names(tensor)), "")

    def _names(self, tensor: int) -> Iterator[str]:
        for each in self._passes:
            for node in each.nodes:
                if node.tensor == tensor and node.names:
                    yield node.names[-1]
        for run in self.trace.runs:
            yield from (name for name, held in run.changed.items() if held == tensor)
        name = self.trace.tensor(tensor).name
        if name:
            yield name


def _in_order(totals: Sequence[Accumulation]) -> list[Accumulation]:
    """Return what was added to each ``.grad``, in the order in which the tensors were made."""
    return sorted(totals, key=lambda total: total.tensor)


def _word_of(step: Step) -> Drawn | None:
    """Return what is said of a line that sets or deletes a ``.grad``."""
    words = {"grad.__set__": "= None", "grad.__delete__": "del"}
    word = next((word for op, word in words.items() if step.op.endswith(op)), None)
    return None if word is None else Drawn(0, word, "op", step=step.number)


def zone_of(canvas: Canvas) -> Zone:
    """Return where the graph stands: on the film, autograd's names go below it."""
    stage = canvas.artboard.stage
    return stage if canvas.artboard.code is None else stage.inset(top=6, bottom=70)


def _without_complex(trace: Trace) -> Trace:
    """Return a trace that knows no complex values: a node has room for one part of a number, which
    would be another number, so its cell stays without digits."""
    plain = {
        number: values
        for number, values in trace.values.items()
        if not trace.tensor(number).dtype.startswith("complex")
    }
    return replace(trace, values=plain)
