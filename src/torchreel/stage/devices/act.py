"""The act of lines that concern two devices: boards, and what crosses from one to the other."""

from __future__ import annotations

from collections.abc import Iterator

from manim import FadeIn, FadeOut, Mobject, VGroup

from torchreel.records import Drawn, Run, Step
from torchreel.stage.artboard import Zone
from torchreel.stage.devices.board import Board
from torchreel.stage.devices.clash import ClashPlate, Cross, fact_colors
from torchreel.stage.devices.crossing import cross
from torchreel.stage.devices.fleet import Fleet, is_move, moves_module
from torchreel.stage.devices.flow import Flow
from torchreel.stage.devices.ledger import Ledger
from torchreel.stage.devices.passages import Passage, passages
from torchreel.stage.devices.places import Places, place_of, rows_of, standing
from torchreel.stage.devices.telling import Telling
from torchreel.stage.motion import BEAT, QUICK
from torchreel.stage.nets.sample import sample_of
from torchreel.stage.nets.thing import ModelThing, TensorThing, Thing
from torchreel.stage.stage import Stage
from torchreel.stage.strip import Sentence

_BOARDS = 0.66
"""Height of the boards as a share of the stage; what it costs stands below them."""


class Devices:
    """Plays the lines of a cell that concern two devices.

    A tensor goes by its name, a model by the variable of its root. ``meta`` keeps no numbers: what
    crosses to it arrives empty.
    """

    def __init__(self, stage: Stage) -> None:
        self.scene, self.trace, self.canvas = stage.scene, stage.trace, stage.canvas
        self._fleet = Fleet(self.trace)
        self._passages = {
            step.number: passage
            for passage in passages(self.trace, self._fleet)
            for step in passage.steps
        }
        self._tell = Telling(stage, self._fleet)
        self._passage: Passage | None = None
        self._empty()

    def _empty(self) -> None:
        self._boards: dict[str, Board] = {}
        self._things: dict[str, tuple[Thing, str]] = {}
        self._outlines: dict[tuple[str, tuple[bool, float]], VGroup] = {}
        self._error: VGroup | None = None
        self._chip: VGroup | None = None
        self._flow: Flow | None = None
        self._shown: tuple[int, ...] = ()

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act."""
        return step.number in self._passages

    def sentence(self, step: Step) -> Sentence | None:
        """Return nothing: the act writes its own chips."""
        return None

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        if self._passages[step.number] is not self._passage:
            self.leave()
            self._set_up(step)
        root = self.trace.outermost_call(step)
        if step.clash is not None:
            self._clash(step)
        elif root is not None:
            if step.number == root.last:
                self._call(step)
        elif moves_module(step):
            self._move_model(step)
        elif is_move(step):
            self._move_tensor(step)
        elif (built := self._fleet.built(step)) is not None:
            self._add_model(built, step)
            self._say(self._tell.row([self._tell.there(self._tell.model(built), step.results[0])]))
        elif step.results and not step.written:
            self._bring(step.results[0])
        self._shown = step.results or self._shown

    def printed(self, run: Run) -> None:
        """Make room below the stage for what a line printed: the chips leave."""
        if self._chip is not None:
            self.scene.play(FadeOut(self._chip, run_time=QUICK))
            self.scene.remove(self._chip)
            self._chip = None

    def leave(self) -> None:
        """Take what is there off the stage."""
        there: list[Mobject] = [
            *self._boards.values(),
            *(each for each, _ in self._things.values()),
            *self._outlines.values(),
        ]
        there += [each for each in (self._error, self._chip, self._flow) if each is not None]
        if there:
            there.append(self._ledger)
            leaving = [FadeOut(each, run_time=QUICK) for each in there]
            getattr(self.scene, "let_go")(there, leaving)  # noqa: B009
        self._passage = None
        self._empty()

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        return self._shown if self._boards else ()

    # The boards, and what stands on them.

    def _set_up(self, step: Step) -> None:
        """Show the boards of a step's passage, and on them what its lines find there."""
        passage = self._passage = self._passages[step.number]
        stage, px = self.canvas.artboard.stage, self.canvas.artboard.px
        height, gap = stage.height * _BOARDS, px(32)
        width = (stage.width - gap) / len(passage.devices)
        top = stage.y + height + px(46)
        rows = Zone(stage.x, top, stage.width, stage.bottom - top)
        self._ledger = Ledger(self.canvas, self.trace, rows)
        for place, (device, tensor) in enumerate(passage.devices.items()):
            zone = Zone(stage.x + place * (width + gap), stage.y, width, height)
            self._boards[device] = Board(self.canvas, zone, device, tensor)
        models = self._models(passage.steps)
        names = [self.trace.modules[each].name for each in models]
        self._places = Places(
            self.canvas,
            {device: board.room for device, board in self._boards.items()},
            list(dict.fromkeys(names)),
            rows_of(self.trace, self._fleet, passage),
        )
        for name, thing, device in self._found(step):
            taken = {(its, place_of(each)) for each, its in self._things.values()}
            if name not in self._things and (device, place_of(thing)) not in taken:
                self._things[name] = (thing, device)
        self._enter(*self._boards.values(), *(each for each, _ in self._things.values()))

    def _found(self, step: Step) -> Iterator[tuple[str, Thing, str]]:
        """Yield what the lines from a step on find on the boards: a name, a picture, a device."""
        left = self._passages[step.number].since(step)
        for later in left:
            for tensor in standing(self.trace, self._fleet, later):
                name = self._tell.name(tensor) or self._tell.former(tensor)
                if name is not None and self._is_made(tensor, step):
                    label = Drawn(0, name, "name", tensor)
                    yield name, self._tensor_thing(tensor, label), self.trace.tensor(tensor).device
        for model in self._models(left):
            if model in self._fleet.there(step):
                yield self._model_thing(model, step)

    def _models(self, steps: tuple[Step, ...]) -> list[int]:
        """Return the models that steps build, move or call."""
        used = [self._fleet.used(each, self.trace.outermost_call(each)) for each in steps]
        return list(dict.fromkeys(each for each in used if each is not None))

    def _is_made(self, tensor: int, step: Step) -> bool:
        """Tell whether a tensor is there before a step."""
        makers = [each.number for each in self.trace.steps if tensor in each.results]
        return not makers or makers[0] < step.number

    def _enter(self, *mobjects: Mobject) -> None:
        """Let things appear; what a clip begins with is there from the first frame."""
        if self.scene.renderer.time == 0:
            self.scene.add(*mobjects)
        else:
            self.scene.play(*(FadeIn(each, run_time=QUICK) for each in mobjects))

    def _stand(self, tensor: int) -> Thing:
        """Return the picture of a tensor, which comes to stand on its board where it does not."""
        label, device = self._tell.called(tensor), self.trace.tensor(tensor).device
        thing, where = self._things.get(label.text, (None, ""))
        if thing is None or where != device or thing.label.source != label:
            thing = self._tensor_thing(tensor, label)
            self._add(label.text, thing, device)
        return thing

    def _tensor_thing(self, tensor: int, label: Drawn, zone: Zone | None = None) -> TensorThing:
        """Return a picture of a tensor under a name; ``label`` may be that of its copy."""
        record = self.trace.tensor(tensor)
        values = tensor if tensor in self.trace.values else None
        zone = zone or self._places.tensor(record.device, tensor)
        return TensorThing(self.canvas, self.trace, zone, label, values)

    def _add_model(self, model: int, step: Step) -> None:
        """Add a model where its weights are; another one of its name leaves, wherever it is."""
        name, thing, device = self._model_thing(model, step)
        if name in self._things:
            self._remove(name)
        self._add(name, thing, device)

    def _model_thing(self, model: int, step: Step) -> tuple[str, ModelThing, str]:
        """Return the name of a model, a picture of it before a step, and its device."""
        label, weights = self._tell.model(model), self._fleet.weights(model, step)
        device = self.trace.tensor(weights[0]).device
        zone = self._places.model(device, label.text)
        return label.text, ModelThing(self.canvas, self.trace, zone, label, weights), device

    def _add(self, name: str, thing: Thing, device: str) -> None:
        self._clear_flow()
        self._make_room(thing, device)
        self._things[name] = (thing, device)
        leaving = self._outline_leaving(thing, device)
        if leaving:
            self.scene.play(FadeIn(thing, run_time=QUICK), *leaving)
        else:
            self._enter(thing)

    def _make_room(self, thing: Thing, device: str) -> None:
        """Take away what stands in a thing's place."""
        there = [
            other
            for other, (each, its) in self._things.items()
            if its == device and place_of(each) == place_of(thing) and each is not thing
        ]
        for other in there:
            self._remove(other)

    def _remove(self, name: str) -> None:
        self._clear_flow()
        gone, _ = self._things.pop(name)
        self.scene.play(FadeOut(gone, run_time=QUICK))
        self.scene.remove(gone)

    def _leave_outline(self, thing: Thing, device: str) -> None:
        outline = self._outlines[device, place_of(thing)] = thing.outline()
        self.scene.add(outline)

    def _outline_leaving(self, thing: Thing, device: str) -> list[FadeOut]:
        """Return the animation in which the outline goes in whose place a thing comes."""
        outline = self._outlines.pop((device, place_of(thing)), None)
        return [] if outline is None else [FadeOut(outline, run_time=QUICK)]

    # What is played.

    def _bring(self, tensor: int) -> None:
        if self._tell.name(tensor) is not None:
            self._stand(tensor)
            self._say(self._tell.row([self._tell.there(self._tell.called(tensor), tensor)]))

    def _move_model(self, step: Step) -> None:
        model = self._fleet.moved(step)
        label = None if model is None else self._tell.model(model)
        if label is None or label.text not in self._things:
            return
        self._clear_flow()
        thing, _ = self._things[label.text]
        before = next(each.tensor for each in step.operands if each.tensor is not None)
        self._go(step, thing, (label, before), (label, step.results[0]), stays=False)

    def _move_tensor(self, step: Step) -> None:
        """Let a tensor cross; a copy of it, where the tensor itself is still held by a name."""
        before = next((each.tensor for each in step.operands if each.tensor is not None), None)
        if before is None or not step.results:
            return
        after = step.results[0]
        held = self._tell.name(before) is not None
        if not held and self._tell.name(after) is None:
            return
        self._clear_flow()
        label = self._tell.called(after)
        first = self._tell.called(before) if held else Drawn(0, label.text, "name", before)
        if held:
            thing = self._stand(before)
        elif first.text in self._things:
            thing, _ = self._things[first.text]
        else:
            thing = self._tensor_thing(before, first)
            self._add(first.text, thing, self.trace.tensor(before).device)
        self._go(step, thing, (first, before), (label, after), stays=held)

    def _go(
        self,
        step: Step,
        thing: Thing,
        before: tuple[Drawn, int],
        after: tuple[Drawn, int],
        *,
        stays: bool,
    ) -> None:
        """Let a thing go to the board of what a step made of it, or a copy of it where it stays;
        ``before`` and ``after`` are what it is called, with a tensor of it."""
        self._clear_error()
        device, target = (self.trace.tensor(each).device for _, each in (before, after))
        rest = [
            self._tell.there(each.label.source, self._boards[its].tensor)
            for each, its in self._things.values()
            if each.label.source is not None and each.label.source.text != before[0].text
        ]
        chips = self._tell.there(*before), self._tell.there(*after)
        self._say(self._tell.moved(step, rest, *chips))
        if device != target:
            if stays:
                thing = self._tensor_thing(before[1], after[0], thing.zone)
            else:
                self._leave_outline(thing, device)
                self._things.pop(before[0].text, None)
            self._make_room(thing, target)
            way = self._places.rooms[target].x - self._places.rooms[device].x
            there = self._outline_leaving(thing, target)
            cross(self.scene, thing, way, target, *there)
            thing.label.source = after[0]
            self._things[after[0].text] = (thing, target)
        color = self.canvas.theme.param if isinstance(thing, ModelThing) else self.canvas.theme.text
        self._ledger.cross(self.scene, step, after[0], color)

    def _clash(self, step: Step) -> None:
        """Show the red line between the two that clash, the cross and the plate."""
        if step.clash is None or step.clash.kind != "device" or len(step.clash.facts) != 2:
            return
        self._clear_flow()
        self._clear_error()
        for tensor in standing(self.trace, self._fleet, step):
            self._stand(tensor)
        px, error = self.canvas.artboard.px, self.canvas.theme.error
        board = next(iter(self._boards.values())).zone
        middle, y, reach = self.canvas.artboard.stage.center_x, board.center_y + px(10), px(92)
        zigzag = [
            (middle - reach, y),
            (middle - px(22), y),
            (middle - px(6), y - px(30)),
            (middle + px(16), y + px(30)),
            (middle + px(30), y),
            (middle + reach, y),
        ]
        plate_y = board.bottom + px(5)  # clear of the names over it
        self._error = VGroup(
            self.canvas.path(zigzag, error, px(8)),
            Cross(self.canvas, middle, y - px(76), radius=px(36)),
            ClashPlate(self.canvas, step, middle, plate_y, fact_colors(self.canvas, step)),
        )
        self.scene.play(FadeIn(self._error, run_time=BEAT))
        self._replace_chip(self._tell.clash(step))

    def _call(self, step: Step) -> None:
        """Show that a call went through, on the board where its result is."""
        root = self.trace.outermost_call(step)
        assert root is not None
        self._clear_error()
        device = self.trace.tensor(root.results[0]).device
        if device not in self._boards:
            return
        self._show_flow(step, device)
        chips = self._tell.call(step)
        if chips is not None:
            self._replace_chip(chips)
            self._ledger.compute(self.scene, root, self._tell.called(root.results[0]))

    def _show_flow(self, step: Step, device: str) -> None:
        """Let arrows lead from what went into a model to what came out, and tick it."""
        self._clear_flow()
        root = self.trace.outermost_call(step)
        number = self._fleet.used(step, root)
        if root is None or number is None:
            return
        there = [each.label.source for each, _ in self._things.values()]
        zones = [
            self._stand(each).zone
            for each in standing(self.trace, self._fleet, step)
            if self._tell.name(each) is not None or self._tell.called(each) in there
        ]
        model, where = self._things.get(self.trace.modules[number].name, (None, ""))
        if not isinstance(model, ModelThing) or where != device:
            return
        result = sample_of(self.trace, root.results[0])
        zone = self._places.result(device)
        source = next(iter(zones), None)
        flow = self._flow = Flow(self.canvas, model.zone, source, zone, result)
        for part in flow:
            if len(part.get_family()) > 1 or part.has_points():
                self.scene.play(FadeIn(part, run_time=QUICK))
        self.scene.remove(*flow)
        self.scene.add(flow)

    def _clear_flow(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            self.scene.play(FadeOut(flow, run_time=QUICK))
            self.scene.remove(flow)

    def _clear_error(self) -> None:
        marks, self._error = self._error, None
        if marks is not None:
            self.scene.play(FadeOut(marks, run_time=QUICK))
            self.scene.remove(marks)

    def _say(self, chips: VGroup) -> None:
        self._clear_error()
        self._replace_chip(chips)

    def _replace_chip(self, chips: VGroup) -> None:
        if self._chip is not None:
            self.scene.remove(self._chip)
        self._chip = chips
        self.scene.add(chips)
