"""The act of a cell on several devices."""

from __future__ import annotations

import numpy as np
from manim import FadeIn, FadeOut, Group, Mobject, Scene, VGroup, VMobject

from torchreel.records import Drawn, ModuleCall, Run, Step, Trace
from torchreel.spelling import bare_name, spell
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, Label
from torchreel.stage.chips import shape_text
from torchreel.stage.colors import Color, mix
from torchreel.stage.devices.board import Board, device_color
from torchreel.stage.devices.clash import ClashPlate, Cross, error_chip, fact_colors
from torchreel.stage.devices.fleet import MOVES, Fleet, moves_module
from torchreel.stage.devices.flow import Flow
from torchreel.stage.devices.ledger import Ledger
from torchreel.stage.motion import BEAT, QUICK, SLOW, ease
from torchreel.stage.nets.sample import sample_of
from torchreel.stage.nets.thing import ModelThing, TensorThing, Thing
from torchreel.stage.picture import Picture
from torchreel.stage.strip import Sentence
from torchreel.stage.training.chips import chip_row, row_width

_BOARDS = 0.66
"""Height of the boards as a share of the stage; what it costs stands below them."""
_TENSOR, _MODEL, _RESULT = (0.15, 0.3), (0.595, 0.37), (0.95, 0.1)
"""Where they stand on a board: the middle and the width, as shares of its own."""
_MODELS = 2
"""So many models of different names stand on a board, one below the other; a further one takes the
place of one of them."""


class Devices:
    """Plays all steps of a cell whose tensors live on two devices: boards, and what crosses.

    A tensor goes by its name, a model by the variable of its root. ``meta`` keeps no numbers: what
    crosses to it arrives empty.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.trace, self.canvas = scene, trace, canvas
        self.devices = self._devices()
        self._boards: dict[str, Board] = {}
        self._things: dict[str, tuple[Thing, str]] = {}
        self._outlines: dict[tuple[str, float | None], VGroup] = {}
        self._fleet = Fleet(trace)
        self._extra: list[Mobject] = []
        self._error: VGroup | None = None
        self._chip: VGroup | None = None
        self._plate: ClashPlate | None = None
        self._shown: tuple[int, ...] = ()
        self._ledger: Ledger | None = None
        self._flow: Flow | None = None

    def covers(self, step: Step) -> bool:
        """Tell whether this is a step of the act."""
        return len(self.devices) == 2

    def sentence(self, step: Step) -> Sentence | None:
        """Return nothing: the act writes its own chips."""
        return None

    def play(self, step: Step) -> None:
        """Play one step that the act covers."""
        self._set_up()
        root = self._root(step)
        if step.clash is not None:
            self._clash(step, root)
        elif moves_module(step):
            self._move_model(step)
        elif bare_name(step.op) in MOVES:
            self._move_tensor(step)
        elif root is not None:
            if step.number == root.last:
                self._call(root)
        elif (built := self._fleet.built(step)) is not None:
            self._build(built)
        elif step.results and not step.op.endswith("_"):
            self._bring(step.results[0])
        self._shown = step.results or self._shown

    def printed(self, run: Run) -> None:
        """Show the two facts that the printed message tells of."""
        if self._plate is not None and self._error is not None:
            self.scene.play(FadeIn(self._plate, run_time=BEAT))
            self.scene.remove(self._plate)
            self._error.add(self._plate)
            self._plate = None

    def leave(self) -> None:
        """Take what is there off the stage."""
        there: list[Mobject] = [
            *self._boards.values(),
            *(each for each, _ in self._things.values()),
        ]
        there += [*self._extra, *self._outlines.values()]
        there += [each for each in (self._chip, self._ledger, self._flow) if each is not None]
        if there:
            self.scene.play(*(FadeOut(each, run_time=QUICK) for each in there))
            self.scene.remove(*there)
        self._boards, self._things, self._extra, self._chip = {}, {}, [], None
        self._outlines = {}
        self._ledger = self._flow = None

    @property
    def tensors(self) -> tuple[int, ...]:
        """The record ids of the tensors that are on stage."""
        return self._shown if self._boards else ()

    # The stage.

    def _devices(self) -> list[str]:
        """Return the devices of a cell's tensors, the CPU first."""
        found: dict[str, int] = {}
        for step in self.trace.steps:
            used = [each.tensor for each in step.operands if each.tensor is not None]
            for tensor in (*used, *step.results):
                record = self.trace.tensor(tensor)
                found.setdefault(record.device, tensor)
        self._of_device = found
        return sorted(found, key=lambda device: device != "cpu")

    def _set_up(self) -> None:
        if self._boards:
            return
        stage = self.canvas.artboard.stage
        gap = self.canvas.artboard.px(32)
        height = stage.height * _BOARDS
        width = (stage.width - gap) / 2
        top = stage.y + height + self.canvas.artboard.px(46)
        rows = Zone(stage.x, top, stage.width, stage.bottom - top)
        self._ledger = Ledger(self.canvas, self.trace, rows)
        for place, device in enumerate(self.devices):
            zone = Zone(stage.x + place * (width + gap), stage.y, width, height)
            self._boards[device] = Board(self.canvas, zone, device, self._of_device[device])
        first = self.scene.renderer.time == 0
        if first:  # the first frame is a still that can be read
            self.scene.add(*self._boards.values())
        else:
            self.scene.play(*(FadeIn(each, run_time=QUICK) for each in self._boards.values()))
        for name, tensor in self._first_names():
            self._add(name, self._tensor_thing(name, tensor), self.trace.tensor(tensor).device)
        for model in self._fleet.there:
            self._add_model(model)

    def _first_names(self) -> list[tuple[str, int]]:
        return list(self.trace.names.items())[:1]

    def _make_room(self, thing: Thing, device: str) -> None:
        """Take away what stands in a thing's place,."""
        place = _place_of(thing)
        there = [
            other
            for other, (each, its) in self._things.items()
            if its == device and _place_of(each) == place
        ]
        for other in there:
            self._remove(other)

    def _remove(self, name: str) -> None:
        gone, _ = self._things.pop(name)
        self.scene.play(FadeOut(gone, run_time=QUICK))
        self.scene.remove(gone)

    def _add(self, name: str, thing: Thing, device: str) -> None:
        self._clear_flow()
        self._make_room(thing, device)
        self._things[name] = (thing, device)
        gone = self._outline_leaving(thing, device)
        if self.scene.renderer.time == 0:
            self.scene.add(thing)
        else:
            self.scene.play(FadeIn(thing, run_time=QUICK), *gone)

    def _add_model(self, model: int) -> None:
        """Add a model where its weights are; another one of its name leaves, wherever it is."""
        name, weights = self.trace.modules[model].name, self._fleet.weights(model)
        if name in self._things:
            self._clear_flow()
            self._remove(name)
        device = self.trace.tensor(weights[0]).device
        label, zone = Drawn(0, name, "module", module=model), self._model_zone(name, device)
        self._add(name, ModelThing(self.canvas, self.trace, zone, label, weights), device)

    # Where things stand: tensors left, models right, results at the right end.

    def _zone(self, device: str, place: float, width: float) -> Zone:
        room = self._boards[device].room
        label = self.canvas.artboard.type_chip * 1.9
        side = room.width * width
        height = min(room.height - label, side * 1.25)
        x = room.x + room.width * place - side / 2
        y = room.y + (room.height - label - height) / 2
        return Zone(x, y, side, height)

    def _tensor_thing(self, name: str, tensor: int) -> TensorThing:
        device = self.trace.tensor(tensor).device
        values = tensor if tensor in self.trace.values else None
        label = Drawn(0, name, "name", tensor)
        return TensorThing(self.canvas, self.trace, self._zone(device, *_TENSOR), label, values)

    def _model_zone(self, name: str, device: str) -> Zone:
        """Return where a model stands: all of the height, or a part of it where models of other
        names are in the cell."""
        names, zone = self._fleet.names, self._zone(device, *_MODEL)
        rows = min(_MODELS, len(names))
        if rows == 1:
            return zone
        room, label = self._boards[device].room, self.canvas.artboard.type_chip * 1.9
        height = room.height / rows
        top = room.y + height * (names.index(name) % rows)
        return Zone(zone.x, top, zone.width, height - label)

    # What is played.

    def _build(self, model: int) -> None:
        self._clear_error()
        self._add_model(model)
        name = Drawn(0, self.trace.modules[model].name, "module", module=model)
        self._say((name, self._device_of(self._fleet.weights(model)[0])))

    def _bring(self, tensor: int) -> None:
        name = self._name(tensor)
        if name is None or name in self._things:
            return
        thing = self._tensor_thing(name, tensor)
        self._add(name, thing, self.trace.tensor(tensor).device)
        self._say((Drawn(0, name, "name", tensor), self._device_of(tensor)))

    def _move_model(self, step: Step) -> None:
        model = self._fleet.moved(step)
        if model is None:
            return
        self._clear_error()
        self._clear_flow()
        name = self.trace.modules[model].name
        label = Drawn(0, name, "module", module=model)
        thing, device = self._things[name]
        before = next(each.tensor for each in step.operands if each.tensor is not None)
        target = self.trace.tensor(step.results[0]).device
        if device != target:
            self._leave_outline(thing, device)
        self._tell(step, (label, before), (label, step.results[0]))
        if device != target:
            self._cross(name, thing, device, target)
        self._rows.cross(self.scene, step, label, self.canvas.theme.param)

    def _move_tensor(self, step: Step) -> None:
        """Let a tensor cross; a copy of it, where the tensor itself is still held by a name."""
        before = next((each.tensor for each in step.operands if each.tensor is not None), None)
        if before is None or not step.results:
            return
        after, original = step.results[0], self._name(before)
        name = self._name(after) or shape_text(self.trace.tensor(after))
        if original is None and self._name(after) is None:
            return
        self._clear_error()
        self._clear_flow()
        device, target = (self.trace.tensor(each).device for each in (before, after))
        first = original or name
        if first not in self._things:
            self._add(first, self._tensor_thing(first, before), device)
        thing, _ = self._things[first]
        label = self._called(after)
        self._tell(step, (Drawn(0, first, "name", before), before), (label, after))
        if device != target:
            if original is None:
                self._leave_outline(thing, device)
            else:
                thing = self._copy(thing, before, after)
            self._cross(name, thing, device, target)
        self._rows.cross(self.scene, step, label, self.canvas.theme.text)

    def _copy(self, thing: Thing, before: int, after: int) -> TensorThing:
        """Return what crosses where a thing stands and stays: it has the copy's name or shape."""
        values = before if before in self.trace.values else None
        label = self._called(after)
        return TensorThing(self.canvas, self.trace, thing.zone, label, values)

    def _called(self, tensor: int) -> Drawn:
        """Return the name of a tensor, or its shape where it has none."""
        name = self._name(tensor)
        if name is not None:
            return Drawn(0, name, "name", tensor)
        return Drawn(0, shape_text(self.trace.tensor(tensor)), "shape", tensor)

    def _leave_outline(self, thing: Thing, device: str) -> None:
        outline = self._outlines[device, _place_of(thing)] = thing.outline()
        self.scene.add(outline)

    def _outline_leaving(self, thing: Thing, device: str) -> list[FadeOut]:
        """Return the animation in which the outline goes in whose place a thing comes."""
        outline = self._outlines.pop((device, _place_of(thing)), None)
        return [] if outline is None else [FadeOut(outline, run_time=QUICK)]

    def _cross(self, name: str, thing: Thing, device: str, target: str) -> None:
        """Let a thing cross to the other board, where it goes by ``name``; after-images follow it.

        Its numbers fade on their way to a device that keeps none.
        """
        self._make_room(thing, target)
        start, end = self._boards[device].room, self._boards[target].room
        away = np.array([(end.x - start.x) * self.canvas.artboard.unit, 0.0, 0.0])
        images = [thing.copy() for _ in range(2)]
        for share, image in zip((0.55, 0.75), images, strict=True):
            _dim(image, mix(self.canvas.theme.bg, self.canvas.theme.surface2, 0.5), share)
        ahead = self._ahead(thing.zone, end.x - start.x, 0.0, target)
        self.scene.add(*images, thing, ahead)
        family = [(part, part.points.copy()) for part in thing.get_family()]
        trails = [
            (lag, [(part, part.points.copy()) for part in image.get_family()])
            for lag, image in zip((0.09, 0.18), images, strict=True)
        ]

        def draw(time: float) -> None:
            ahead.become(self._ahead(thing.zone, end.x - start.x, ease(time), target))
            for part, points in family:
                part.points = points + away * ease(time)
            if target == "meta":
                thing.empty(ease(max(0.0, 2 * time - 1)))
            for lag, parts in trails:
                for part, points in parts:
                    part.points = points + away * ease(
                        max(0.0, time - lag) / (1 - lag * (1 - time))
                    )

        whole = Group(*images, thing, ahead)
        gone = self._outline_leaving(thing, target)
        self.scene.play(BlockAnimation(whole, draw, SLOW + BEAT), *gone)
        self.scene.remove(whole, *images, ahead)
        self.scene.add(thing)
        thing.zone = Zone(
            thing.zone.x + end.x - start.x, thing.zone.y, thing.zone.width, thing.zone.height
        )
        self._things[name] = (thing, target)

    def _ahead(self, zone: Zone, way: float, share: float, target: str) -> VGroup:
        """Return the arrow before a thing that has gone ``share`` of its way (pixels, signed); it
        ends where the thing will stand."""
        px, sign = self.canvas.artboard.px, 1 if way > 0 else -1
        edge = zone.right if way > 0 else zone.x
        left = abs(way) * (1 - share) - zone.width
        x, reach = edge + way * share + sign * px(10), min(px(70), left - px(20))
        if reach < px(30):
            return VGroup()
        color = device_color(target, self.canvas.theme)
        ends = (x, zone.center_y), (x + sign * reach, zone.center_y)
        return self.canvas.arrow(*ends, color, px(6))

    def _clash(self, step: Step, root: ModuleCall | None) -> None:
        """Show the red line between the two that clash, the cross and the plate."""
        assert step.clash is not None
        if step.clash.kind != "device" or len(step.clash.facts) != 2:
            return
        stage, px = self.canvas.artboard.stage, self.canvas.artboard.px
        theme = self.canvas.theme
        left = self._boards[self.devices[0]].zone
        y = left.center_y + px(10)
        middle = stage.center_x
        reach = px(92)
        zigzag = [
            (middle - reach, y),
            (middle - px(22), y),
            (middle - px(6), y - px(30)),
            (middle + px(16), y + px(30)),
            (middle + px(30), y),
            (middle + reach, y),
        ]
        line = self.canvas.path(zigzag, theme.error, px(8))
        plate_y = left.bottom + px(5)  # clear of the names over it
        marks = VGroup(line, Cross(self.canvas, middle, y - px(76), radius=px(36)))
        plate = ClashPlate(self.canvas, step, middle, plate_y, fact_colors(self.canvas, step))
        if self._is_printed(step):
            self._plate = plate  # the facts come with the message
        else:
            marks.add(plate)
        self.scene.play(FadeIn(marks, run_time=BEAT))
        self._replace_chip(error_chip(self.canvas, step, self._clashing(step)))
        self._error = marks
        self._extra.append(marks)

    def _is_printed(self, step: Step) -> bool:
        """Tell whether the next thing that the script does is to print the error's message."""
        assert step.clash is not None
        after = self.trace.runs[step.run + 1 :]
        told = next((run for run in after if run.steps or run.printed), None)
        return told is not None and not told.steps and step.clash.message in told.printed

    def _call(self, root: ModuleCall) -> None:
        """Show that the call went through, on the board where its result is."""
        self._clear_error()
        device = self.trace.tensor(root.results[0]).device
        if device not in self._boards:
            return
        self._show_flow(root, device)
        name = self._name(root.results[0])
        if name is not None:
            label = Drawn(0, name, "name", root.results[0])
            self._tell_call(root, label)
            self._rows.compute(self.scene, root, label)

    def _show_flow(self, root: ModuleCall, device: str) -> None:
        """Let arrows lead from what went into a model to what came out, and tick it."""
        self._clear_flow()
        used = {each.tensor for each in root.operands}
        held = getattr(self.scene, "stage").names  # noqa: B009
        here = {name: thing for name, (thing, its) in self._things.items() if its == device}
        model = here.get(self.trace.modules[self._fleet.root_of(root.module)].name)
        if not isinstance(model, ModelThing):
            return
        source = next(
            (
                each.zone
                for name, each in here.items()
                if held.get(name, each.label.source and each.label.source.tensor) in used
            ),
            None,
        )
        result = sample_of(self.trace, root.results[0])
        zone = self._zone(device, *_RESULT)
        zone = zone.until(self._boards[device].room.bottom)
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
        marks, self._plate = self._error, None
        if marks is not None:
            self.scene.play(FadeOut(marks, run_time=QUICK))
            self.scene.remove(marks)
            self._extra = [each for each in self._extra if each is not marks]
            self._error = None

    # Words.

    @property
    def _rows(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    def _say(self, *chips: tuple[Drawn, ...], word: Drawn | None = None) -> None:
        """Say where things are, the last one lit; the first ones only where there is room."""
        self._clear_error()
        while len(chips) > 2 and row_width(self.canvas, chips, word) > self._strip_width:
            chips = chips[1:]
        self._replace_chip(chip_row(self.canvas, chips, word=word))

    @property
    def _strip_width(self) -> float:
        return self.canvas.artboard.strip.width

    def _tell(self, step: Step, before: tuple[Drawn, int], after: tuple[Drawn, int]) -> None:
        """Say from where to where a step moves something: a name and a tensor each; and where the
        rest is that has not moved."""
        chips = [(label, self._device_of(tensor)) for label, tensor in (before, after)]
        rest = [
            (thing.label.source, self._device_of(self._of_device[device]))
            for thing, device in self._things.values()
            if thing.label.source is not None and thing.label.source.text != before[0].text
        ]
        word = Drawn(0, spell(step), "op", step=step.number)
        self._say(*rest, *chips, word=word)

    def _tell_call(self, root: ModuleCall, label: Drawn) -> None:
        """Say where what went into a model is, and where what came out."""
        used = [each.tensor for each in root.operands if each.tensor is not None]
        chips = [(self._called(each), self._device_of(each)) for each in used if self._name(each)]
        module = self._fleet.root_of(root.module)
        name = self.trace.modules[module].name or self.trace.modules[module].kind
        word = Drawn(0, name, "module", module=module)
        self._say(*chips, (label, self._device_of(root.results[0])), word=word)

    def _clashing(self, step: Step) -> list[tuple[Drawn, ...]]:
        """Return the names of what clashes and where each is, as far as there are names."""
        assert step.clash is not None
        found: list[tuple[Drawn, ...]] = []
        for place in step.clash.operands:
            tensor = step.operands[place].tensor
            label = None if tensor is None else self._label_of(tensor, step)
            if label is not None and tensor is not None:
                found.append((label, self._device_of(tensor)))
        return found

    def _label_of(self, tensor: int, step: Step) -> Drawn | None:
        """Return the name of a tensor, or of the model that a step's call is of, where the tensor
        is one of its parameters."""
        if self._name(tensor) is not None:
            return self._called(tensor)
        root = self._root(step)
        model = None if root is None else self._fleet.root_of(root.module)
        given = set() if root is None else {each.tensor for each in root.operands}
        name = "" if model is None else self.trace.modules[model].name
        if not name or tensor in given or not self._is_parameter(tensor, step):
            return None
        return Drawn(0, name, "module", module=model)

    def _is_parameter(self, tensor: int, step: Step) -> bool:
        """Tell whether no step of the cell made a tensor, or a model's own move did."""
        makers = [each for each in self.trace.steps[: step.number] if tensor in each.results]
        return all(moves_module(each) for each in makers)

    def _replace_chip(self, chip: VGroup) -> None:
        if self._chip is not None:
            self.scene.remove(self._chip)
        self._chip = chip
        self.scene.add(chip)

    def _device_of(self, tensor: int) -> Drawn:
        return Drawn(0, self.trace.tensor(tensor).device, "device", tensor)

    def _name(self, tensor: int) -> str | None:
        names = getattr(self.scene, "stage").names  # noqa: B009
        found = [name for name, held in names.items() if held == tensor]
        return found[-1] if found else None

    def _root(self, step: Step) -> ModuleCall | None:
        if step.call is None:
            return None
        call = self.trace.calls[step.call]
        while call.parent is not None:
            call = self.trace.calls[call.parent]
        return call


def _place_of(thing: Thing) -> float | None:
    """Return the height at which a model stands; None for a tensor: there is one place."""
    return thing.zone.center_y if isinstance(thing, ModelThing) else None


def _dim(group: Group, ground: Color, share: float) -> None:
    """Let a copy fade into the ground by opaque mixes, its words left out."""
    for part in group.get_family():
        if isinstance(part, Label):
            part.points = np.zeros((0, 3))
        elif isinstance(part, VMobject):
            for rgba in (part.fill_rgbas, part.stroke_rgbas):
                rgba[:, :3] = mix(rgba[:, :3], ground, share)
        elif isinstance(part, Picture):
            mixed = mix(part.pixel_array[..., :3] / 255, ground, share)
            part.pixel_array[..., :3] = np.rint(mixed * 255)
