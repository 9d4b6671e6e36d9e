"""The act of a module's call: the whole chain, a spotlight on each link, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Literal

from manim import FadeOut, Group, Scene

from torchreel.records import Drawn, ModuleCall, Run, Step, Trace
from torchreel.returns import returned_calls
from torchreel.spelling import arguments_of, bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas
from torchreel.stage.chips import Named
from torchreel.stage.motion import BEAT, HOLD, QUICK, SLOW, ease
from torchreel.stage.nets.cells import Cells
from torchreel.stage.nets.chain import ModuleChain, gate_text
from torchreel.stage.nets.funnel import Funnel
from torchreel.stage.nets.handover import hand_over
from torchreel.stage.nets.links import INPUT, Chain, Link, chain_of
from torchreel.stage.nets.nodeview import NodeView, has_nodes, layers_of
from torchreel.stage.nets.selection import ALL
from torchreel.stage.nets.spotlight import Spotlight
from torchreel.stage.nets.thing import ModelThing
from torchreel.stage.ops.geometry import entries_of
from torchreel.stage.strip import Sentence

View = Literal["chain", "nodes"]

_OWN = ("embedding", "embedding_bag", "conv1d", "conv2d")
"""Ops that a module of its own does, with a picture that tells more than a funnel."""

_MOVES = ("to", "cuda", "cpu")
_MOST_LINKS = 16
_SPOTLIGHTS = 6
_SWEEP = 1.3
_NODE = 0.36
"""Seconds that a node takes to collect what leads into it."""
_LONGEST = 6.0


class Network:
    """Plays the calls of modules with parameters, from the calls and steps of the trace.

    A call shows as a chain, with a spotlight on each link with parameters; as nodes where all its
    layers are small, or where ``view`` asks for it. A module that was seen in the clip before is
    not explained again: the chain alone is shown.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.trace, self.canvas = scene, trace, canvas
        self.view: View = "chain"
        self.explain = True
        self._chains: dict[int, Chain | None] = {}
        self._seen: set[int] = set()
        self._call: int | None = None
        self._brief = self._first = False
        self._reached = INPUT
        self._overview: ModuleChain | NodeView | None = None
        self._there: Group | None = None
        self._ends: dict[int, int] = {}
        self._returned = returned_calls(trace)
        self._named_later = {call.number for call in self._returned.values()}

    def covers(self, step: Step) -> bool:
        """Tell whether a step ran in the call of a module that is drawn, built one, or left one
        where it is (`model.to(device)` on that device)."""
        if self._built(step) is not None or self._left(step) is not None:
            return True
        root = self.trace.outermost_call(step)
        return root is not None and self._chain(root) is not None

    def sentence(self, step: Step) -> Sentence | None:
        """Return what the strip says: what went into the link, its name, what came out."""
        if self._built(step) is not None or self._left(step) is not None:
            return None  # the stage names the layers and says how large they are
        root = self.trace.outermost_call(step)
        chain = self._chain(root) if root is not None else None
        if root is None or chain is None:
            return None
        by_line = self._is_by_line(root)
        if self._is_brief(root, chain) and not by_line:
            return self._whole(root, step)
        place = self._place(chain, step)
        if place is None:
            return None
        link = chain.links[place]
        if link.call == root.number:
            return self._whole(root, step)
        if self._is_explained(chain, place) or self._told(root, chain, step):
            given = [self._given(step, link, each) for each in dict.fromkeys(link.operands)]
            word = Drawn(0, link.name, "module", module=link.module)
            own = word if link.module is not None else None
            return Sentence(tuple(given), step, self._made(link.result), own)
        return self._whole(root, step) if step.number == root.last and not by_line else None

    def returned(self, run: Run) -> Sentence | None:
        """Return what the strip says of a line that names what a call gave, after the lines of its
        module; None of any other line."""
        root = self._call_before(run)
        if root is None or root.last is None:
            return None
        gone = {name for name, tensor in run.changed.items() if tensor is None}
        return self._whole(root, self.trace.steps[root.last], gone)

    def word(self, step: Step) -> Drawn | None:
        """Return the name of the module whose call a step is alone, where its op tells it; None of
        any other step."""
        root = self.trace.outermost_call(step)
        if root is None or not self._is_told_by_its_op(root):
            return None
        module = self.trace.modules[root.module]
        return Drawn(0, module.name or module.kind, "module", module=module.number)

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        built = self._built(step)
        if built is not None:
            self._build(self._model(built, self._matrices(step)))
            return
        left = self._left(step)
        if left is not None:
            self._stay(left, self._matrices(step))
            return
        root = self.trace.outermost_call(step)
        assert root is not None
        chain = self._chain(root)
        assert chain is not None
        if root.number != self._call:
            self._enter(root, chain)
        place = self._place(chain, step)
        named_later = root.number in self._named_later
        if place is not None and not self._brief:
            self._explain(chain, place, at_end=not named_later)
            if self._told(root, chain, step):
                self._show_overview()
        elif place is not None:
            self._advance(place)
        if step.number == root.last and not named_later:
            self._end(root, step)

    def show_whole(self, run: Run) -> None:
        """Show the whole chain where a line names what came out of it."""
        root = self._call_before(run)
        if root is not None and root.number == self._call:
            self._show_overview()

    def _call_before(self, run: Run) -> ModuleCall | None:
        """Return the call whose result a line names, after the lines of its module."""
        place = next((at for at, each in enumerate(self.trace.runs) if each is run), -1)
        return self._returned.get(place)

    def printed(self, run: Run) -> None:
        """Change nothing: what is printed has its own room."""

    def leave(self) -> None:
        """Take the chain off the stage."""
        self._take_off()
        self._call, self._overview = None, None

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        if self._call is None:
            return ()
        call = self.trace.calls[self._call]
        return (*(each.tensor for each in call.operands if each.tensor is not None), *call.results)

    # Modules that are built.

    def _built(self, step: Step) -> int | None:
        """Return the root of the tree that a step built; None where it built none with matrices."""
        if step.call is not None or not self._matrices(step) or step.written or step.view:
            return None
        if any(each.tensor is not None for each in step.operands):
            return None
        return self._tree_of(step)

    def _left(self, step: Step) -> int | None:
        """Return the root of the tree that a step would have moved, and left as it was; None where
        it has no matrices."""
        is_move = step.op.startswith("torch.nn.Module.") and bare_name(step.op) in _MOVES
        given = {each.tensor for each in step.operands}
        if not is_move or not self._matrices(step) or not given.issuperset(step.results):
            return None
        return self._tree_of(step)

    def _tree_of(self, step: Step) -> int | None:
        """Return the root of the tree whose parameters a step gave."""
        made = set(step.results)
        for module in self.trace.modules:
            if made & set(module.parameters.values()):
                root = module
                while root.parent is not None:
                    root = self.trace.modules[root.parent]
                return root.number
        return None

    def _matrices(self, step: Step) -> list[int]:
        records = [self.trace.tensor(each) for each in step.results]
        return [each.id for each in records if each.name and len(each.shape) > 1]

    def _model(self, root: int, matrices: list[int]) -> ModelThing:
        """Return the model as a thing of its own: its weights in funnels."""
        record, stage = self.trace.modules[root], self.canvas.artboard.stage
        width = min(stage.width * 0.62, stage.width * 0.24 * len(matrices[:3]))
        height = stage.height * 0.64
        zone = Zone(stage.center_x - width / 2, stage.y + stage.height * 0.12, width, height)
        text = record.name or record.kind
        source = Drawn(0, text, "module", module=root)
        model = ModelThing(self.canvas, self.trace, zone, source, matrices)
        model.tell(
            {
                tensor: module.number
                for module in self.trace.modules
                for tensor in module.parameters.values()
            }
        )
        return model

    def _build(self, model: ModelThing) -> None:
        """Let a model that was just made fill with its weights."""
        model.reveal(0.0)
        self._show(model)
        self.scene.play(BlockAnimation(model, lambda t: model.reveal(ease(t)), SLOW))
        model.reveal(1.0)

    def _stay(self, root: int, matrices: list[int]) -> None:
        """Show a model where it is, if it is not there already."""
        there = self._there.label.source if isinstance(self._there, ModelThing) else None
        if there is None or there.module != root:
            self._show(self._model(root, matrices))

    # Which calls are drawn.

    def _chain(self, root: ModuleCall) -> Chain | None:
        """Return the chain of a call; None where no module with parameters is in it."""
        if root.number not in self._chains:
            self._chains[root.number] = self._make_chain(root)
        return self._chains[root.number]

    def _steps(self, root: ModuleCall) -> Sequence[Step]:
        return self.trace.steps[root.first or 0 : (root.last or -1) + 1]

    def _make_chain(self, root: ModuleCall) -> Chain | None:
        steps = self._steps(root)
        clash = any(step.clash is not None for step in steps)
        if not root.results or root.last is None or clash or self._is_told_by_its_op(root):
            return None
        if not any(each.tensor is not None for each in root.operands):
            return None
        chain = chain_of(self.trace, root, _MOST_LINKS)
        if not any(link.has_parameters for link in chain.links):
            return None
        if chain.links[0].call == root.number and self._is_told_by_its_lines(root, chain.links[0]):
            return None
        for place, link in enumerate(chain.links):
            last = self.trace.calls[link.call].last if link.call is not None else link.step
            if last is not None:
                self._ends[last] = place
        return chain

    def _is_told_by_its_lines(self, root: ModuleCall, link: Link) -> bool:
        """Tell whether a module that calls none is told by what its forward does: line by line, or
        where it has no matrix that a funnel would show."""
        flat = link.weight is None or len(self.trace.tensor(link.weight).shape) < 2
        return root.number in self._named_later or (flat and len(self._steps(root)) > 1)

    def _is_by_line(self, root: ModuleCall) -> bool:
        """Tell whether the lines of a call's module have cues of their own."""
        return root.number in self._named_later or len({each.run for each in self._steps(root)}) > 1

    def _is_told_by_its_op(self, root: ModuleCall) -> bool:
        """Tell whether a call is one look-up in a table, or one window that slides, of which it is
        known what is read: the op has a picture of its own, and its numbers are no answer."""
        steps = self._steps(root)
        if len(steps) != 1 or (name := bare_name(steps[0].op)) not in _OWN:
            return False
        if name == "embedding" or any(each.kind == "feeds" for each in steps[0].provenance):
            return True
        facts = getattr(self.scene, "stage")  # noqa: B009
        return name.startswith("conv") and entries_of(facts, steps[0]) is not None

    def _place(self, chain: Chain, step: Step) -> int | None:
        """Return the link that ends with a step."""
        place = self._ends.get(step.number)
        return place if place is not None and place < len(chain.links) else None

    def _is_brief(self, root: ModuleCall, chain: Chain) -> bool:
        if root.number == self._call:
            return self._brief
        return not self.explain or root.module in self._seen or self._by_nodes(chain)

    def _by_nodes(self, chain: Chain) -> bool:
        if not has_nodes(self.trace, chain):
            return False
        small = all(each.features <= ALL for each in layers_of(self.trace, chain))
        return self.view == "nodes" or small

    def _whole(self, root: ModuleCall, step: Step, gone: Collection[str] = ()) -> Sentence:
        """Return the sentence of a whole call, by the names that are not ``gone``."""
        module = self.trace.modules[root.module]
        word = Drawn(0, module.name or module.kind, "module", module=module.number)
        given = dict.fromkeys(each.tensor for each in root.operands if each.tensor is not None)
        names = tuple(self._named(each, gone) for each in given)
        return Sentence(names, step, self._made(*root.results), word)

    def _made(self, *results: int) -> tuple[Named, ...]:
        """Return results as the line names them: the first, and further ones that have names."""
        named = [self._named(each) for each in dict.fromkeys(results)]
        return tuple(each for place, each in enumerate(named) if each.name or not place)

    def _given(self, step: Step, link: Link, tensor: int) -> Named:
        """Return an operand by the name that it has in the line which is lit: what a call's
        parentheses say, else what it goes by now."""
        run = self.trace.runs[step.run]
        line = next(
            each.text for each in self.trace.cells[0].statements if each.number == run.statement
        )
        called = gate_text(link) if link.module is None else link.name
        names = arguments_of(step, called) if step.expression in line else ()
        known = list(link.operands)
        if len(names) != len(known) or tensor not in known:
            return self._named(tensor)
        name = names[known.index(tensor)]
        if name is None:
            return self._named(tensor)
        former = run.changed.get(name, tensor) != tensor
        return Named(name, self.trace.tensor(tensor), former=former)

    def _named(self, tensor: int, gone: Collection[str] = ()) -> Named:
        stage = getattr(self.scene, "stage")  # noqa: B009
        found = [name for name, held in stage.names.items() if held == tensor and name not in gone]
        former = stage.former.get(tensor) if not found else None
        name = found[-1] if found else former
        return Named(name, self.trace.tensor(tensor), former=former is not None)

    # What is played.

    def _enter(self, root: ModuleCall, chain: Chain) -> None:
        self._brief = self._is_brief(root, chain)
        self._first = root.module not in self._seen
        self._call, self._reached = root.number, INPUT
        self._seen.add(root.module)
        zone = self.canvas.artboard.stage
        if self._by_nodes(chain):
            nodes = NodeView(self.canvas, self.trace, chain, zone)
            nodes.reveal(0.0)
            self._overview = nodes
        else:
            overview = ModuleChain(self.canvas, self.trace, chain, zone)
            for place in range(len(chain.links)):
                overview.reveal(place, 0.0)
            self._overview = overview
        self._show(self._overview)
        if isinstance(self._overview, ModuleChain) and self._overview.portrait is not None:
            self._unroll(self._overview)

    def _unroll(self, overview: ModuleChain) -> None:
        from torchreel.stage.nets.column import Column
        from torchreel.stage.nets.unroll import Unroll

        portrait, column = overview.portrait, overview.activations[INPUT]
        assert portrait is not None
        if not isinstance(column, Column):
            return
        column.reveal(0.0)
        unroll = Unroll(self.canvas, portrait.colors, portrait.zone, column.front)
        self.scene.add(unroll)
        self.scene.play(BlockAnimation(unroll, unroll.at, 1.3))
        self.scene.remove(unroll)
        column.reveal(1.0)

    def _is_explained(self, chain: Chain, place: int) -> bool:
        """Tell whether a link is shown large: there is something to see."""
        lights = [at for at, link in enumerate(chain.links) if link.has_parameters]
        return place in lights[: _SPOTLIGHTS - 1] + lights[-1:] or self._own_line(chain, place)

    def _told(self, root: ModuleCall, chain: Chain, step: Step) -> bool:
        """Tell whether a step ends a line of the module's own, of whose links none is shown large:
        then the chain is, as far as it is known."""
        steps = self.trace.runs[step.run].steps
        places = [self._ends[each] for each in steps if each in self._ends]
        none = not any(self._is_explained(chain, each) for each in places)
        return self._is_by_line(root) and step.number == steps[-1] and none

    def _explain(self, chain: Chain, place: int, *, at_end: bool) -> None:
        """Show one link large, where there is something to see, and let its result appear; the last
        one for a while, where all ``at_end`` follow."""
        overview = self._overview
        assert isinstance(overview, ModuleChain)
        if self._is_explained(chain, place):
            zone = self.canvas.artboard.stage
            spot = Spotlight(self.canvas, self.trace, chain, place, overview.limit, zone)
            spot.reveal(0.0)
            self._show(spot)
            self.scene.play(BlockAnimation(spot, lambda t: spot.reveal(ease(t)), _SWEEP))
            spot.reveal(1.0)
            if at_end and place == len(chain.links) - 1:
                self.scene.wait(HOLD)  # the overview comes next
        overview.reveal(place, 1.0)

    def _own_line(self, chain: Chain, place: int) -> bool:
        """Tell whether a link is what a line of the script's own does, so it has its own cue."""
        link = chain.links[place]
        number = link.step if link.call is None else self.trace.calls[link.call].last
        if number is None:
            return False
        run = self.trace.steps[number].run
        same = [step for step in self.trace.runs[run].steps if step in self._ends]
        return len(same) == 1

    def _advance(self, place: int) -> None:
        """Let what came out of the links up to this one appear in the picture of the whole."""
        overview, first = self._overview, self._reached + 1
        self._reached = place
        if isinstance(overview, NodeView):
            before, after = overview.shares(first)[0], overview.shares(place)[1]
            if after > before:
                time = min(_NODE * overview.count, _LONGEST) if self._first else SLOW + HOLD
                draw = partial(_between, overview.reveal, before, after)
                self.scene.play(BlockAnimation(overview, draw, time * (after - before)))
        elif overview is not None:
            for each in range(first, place + 1):
                if each in overview.activations:
                    self._reveal(overview, each)

    def _show_overview(self) -> None:
        """Show the whole chain, where a link of it was shown large."""
        if isinstance(self._overview, ModuleChain) and len(self._overview.chain.links) > 1:
            self._show(self._overview)

    def _end(self, root: ModuleCall, step: Step) -> None:
        """Show the whole chain with all that came out."""
        overview = self._overview
        assert overview is not None
        if self._brief:
            self._advance(len(overview.chain.links) - 1)
        elif len(overview.chain.links) > 1:
            getattr(self.scene, "say")(self._whole(root, step))  # noqa: B009
            self._show_overview()

    def _reveal(self, overview: ModuleChain, place: int) -> None:
        """Let what comes out of a link appear, row by row of its weight, which is lit."""
        shown, part = overview.activations[place], overview.parts.get(place)
        funnel = part if isinstance(part, Funnel) and self._first else None
        time = BEAT if funnel is None else 2 * _SWEEP if isinstance(shown, Cells) else _SWEEP

        def draw(t: float) -> None:
            shown.reveal(ease(t))
            if funnel is not None:
                funnel.light_row(ease(t) if t < 1 else None)

        self.scene.play(BlockAnimation(overview, draw, time))
        draw(1.0)

    def _show(self, group: Group) -> None:
        """Let a picture take the stage from the one before; a clip begins with it."""
        if self._there is None and self.scene.renderer.time == 0:
            self.scene.add(group)
        elif self._there is not group:
            hand_over(self.scene, self._there, group)
        self._there = group

    def _take_off(self) -> None:
        if self._there is not None:
            leaving = FadeOut(self._there, run_time=QUICK)
            getattr(self.scene, "let_go")([self._there], [leaving])  # noqa: B009
            self._there = None


def _between(reveal: Callable[[float], None], first: float, last: float, t: float) -> None:
    reveal(first * (1 - t) + last * t)
