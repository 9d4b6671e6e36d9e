"""The act of a training loop: its first laps in the ring, all others as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from manim import FadeIn, FadeOut, Group, Mobject, Scene, VGroup

from torchreel.records import Backward, Drawn, Run, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, redraw
from torchreel.stage.chips import lap_width
from torchreel.stage.motion import BEAT, HOLD, QUICK
from torchreel.stage.nets.sample import Floats, weight_of
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.printout import lines_of, printout_of
from torchreel.stage.training.axis import Guess
from torchreel.stage.training.changes import Change, change_of
from torchreel.stage.training.chips import chip_row
from torchreel.stage.training.curve import LossCurve, ShareBar
from torchreel.stage.training.facts import (
    SLOW_LAPS,
    Learner,
    Training,
    classes_of,
    laps_of,
    points_of,
    shown_runs,
    training_of,
    versions_of,
)
from torchreel.stage.training.passes import (
    Left,
    first_matrix,
    gradients_of,
    loss_of,
    pass_of,
    path_of,
    station_of,
    step_of,
    weight_moved,
)
from torchreel.stage.training.ring import BACKWARD, FORWARD, LOSS, STEP, Moment, TrainingRing
from torchreel.stage.training.tiles import TILES, Kept, TileShelf, liveliest, tiles_of

_PACE = (0.8, 0.5, 0.3)
"""Seconds a station in the first laps."""

_CURVE = 5.0

_NARROW = 560.0
"""A curve takes at least so many pixels beside another."""


class TrainingLoop:
    """Plays the laps of a cell's training loop; everything it draws is of the trace.

    :meth:`runs` says which runs it shows: those of the first laps one by one, one for all others.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.trace, self.canvas = scene, trace, canvas
        self.training = training_of(trace)
        self._laps = laps_of(trace, self.training) if self.training is not None else {}
        self._there: list[Mobject] = []
        self._ring: TrainingRing | None = None
        self._pass: Backward | None = None
        self._gradients: dict[int, Left] = {}

    def runs(self, runs: list[Run]) -> list[Run]:
        """Return the runs that are played, in order."""
        return runs if self.training is None else shown_runs(self.trace, self.training, runs)

    def covers(self, run: Run) -> bool:
        """Tell whether a run is of the loop."""
        training = self.training
        if training is None:
            return False
        return run.statement == training.statement or id(run) in self._laps

    def laps(self, run: Run) -> int:
        """Return how many laps a run stands for."""
        if self.training is None or run.statement != self.training.statement:
            return 1
        return self.training.laps - SLOW_LAPS

    def hold(self, run: Run, hold: float) -> float:
        """Return how long a run is held, of ``hold`` for any other: laps get faster."""
        if id(run) in self._laps:
            return _PACE[min(self._laps[id(run)], SLOW_LAPS) - 1] * hold / HOLD
        return hold

    def play(self, run: Run) -> None:
        """Play one run that the act covers."""
        assert self.training is not None
        if run.statement == self.training.statement:
            self._play_rest(self.training)
        else:
            self._play_station(self.training, run)

    def leave(self) -> None:
        """Take what is there off the stage."""
        if self._there:
            self.scene.play(*(FadeOut(each, run_time=QUICK) for each in self._there))
            self.scene.remove(*self._there)
        self._there, self._ring = [], None

    # The ring.

    def _play_station(self, training: Training, run: Run) -> None:
        station = station_of(self.trace, run)
        if self._pass is None or station in (FORWARD, LOSS, BACKWARD):
            self._pass = pass_of(self.trace, run) or self._pass
        first = self._ring is None
        if self._ring is None:
            self.leave()
            self._ring = TrainingRing(self.canvas, self.canvas.artboard.stage)
        self._ring.tell(self._moment(training, run, station))
        chips = self._below(training, run)
        if first and self.scene.renderer.time > 0:
            self.scene.play(*(FadeIn(each, run_time=QUICK) for each in (self._ring, chips)))
        else:
            self.scene.remove(*self._there)
            self.scene.add(self._ring, chips)
        self._there = [self._ring, chips]

    def _moment(self, training: Training, run: Run, station: int | None) -> Moment:
        emptied = self._emptied(run)
        if emptied is not None and emptied.step is not None:
            self._empty(emptied.step)
        began, trace = self._pass, self.trace
        if began is None:
            return Moment(station, emptied=emptied is not None)
        if station == BACKWARD:
            self._gradients |= gradients_of(trace, began)
        left = self._gradients.get(weight_moved(trace, began))
        name, loss = loss_of(trace, began, max(run.steps, default=-1))
        forward = path_of(trace, began, run if station == FORWARD else None)
        step = step_of(trace, began)
        called = emptied or Drawn(0, bare_name(trace.steps[began.step].op), "op", step=began.step)
        stepped = Drawn(0, "step", "sign")
        if step is not None:
            stepped = replace(stepped, source="op", step=step.step)
        return Moment(
            station,
            {
                FORWARD: [self._named(module) for module in forward.modules],
                LOSS: [] if name is None else [name],
                BACKWARD: [called],
                STEP: [stepped],
            },
            forward.features,
            path_of(trace, began).features,
            loss,
            None if left is None else left.norm,
            left is not None,
            emptied is not None,
            self._change(training, run) if station == STEP else None,
            None if training.steps else self._kept(training),
        )

    def _named(self, module: int) -> Drawn:
        record = self.trace.modules[module]
        text = record.name or record.path.split(".")[-1] or record.kind
        return Drawn(0, text, "module", module=module)

    def _emptied(self, run: Run) -> Drawn | None:
        """Return the name of the op that empties the gradients in a run, if there is one."""
        for number in run.steps:
            step = self.trace.steps[number]
            if bare_name(step.op) == "zero_grad":
                return Drawn(0, bare_name(step.op), "op", step=number)
        return None

    def _empty(self, step: int) -> None:
        """Forget the gradients that an op throws away."""
        thrown = {
            self.trace.tensor(each.tensor).storage
            for each in self.trace.steps[step].operands
            if each.tensor is not None
        }
        self._gradients = {
            memory: left for memory, left in self._gradients.items() if left.memory not in thrown
        }

    def _kept(self, training: Training) -> Kept:
        """Return the first tile of the weight that has gradients and that nothing steps."""
        weight = weight_of(self.trace, training.learners[0].first)
        if weight is None:
            return Kept(self.canvas)
        return Kept(self.canvas, tiles_of(weight)[0], limit_of(weight))

    def _change(self, training: Training, run: Run) -> Change | None:
        """Return what the step of a run did to the tile that it changed most."""
        step = next((each for each in self.trace.optimizers if each.step in run.steps), None)
        update = None if step is None else first_matrix(self.trace, step)
        if step is None or update is None:
            return None
        known = (each.first for each in training.learners if each.name == update.name)
        return change_of(self.canvas, self.trace, step, next(known, update.before))

    def _below(self, training: Training, run: Run) -> VGroup:
        """Return what stands below the ring: what a line printed, else what the loops count."""
        lap = self._laps[id(run)]
        lit = Drawn(
            0, f"{lap}/{training.laps}", "lap", index=(training.statement, lap, training.laps)
        )
        if lines_of(run):
            room = self.canvas.artboard.strip.inset(left=lap_width(self.canvas, lit))
            return printout_of(self.canvas, self.trace, run, room, lit)
        texts: list[tuple[Drawn, ...]] = []
        for name, (value, at) in self._counters(run).items():
            source = Drawn(0, name, "plain", index=(at,))
            texts.append((source, Drawn(0, value, "plain", index=(at,))))
        return chip_row(self.canvas, [*texts, (lit,)])

    def _counters(self, run: Run) -> dict[str, tuple[str, int]]:
        """Return the whole numbers that loops around this one count with, as they are now."""
        found: dict[str, tuple[str, int]] = {}
        statements = {each.number: each for each in self.trace.cells[0].statements}
        for at, each in enumerate(self.trace.runs):
            loop = each.statement in statements and statements[each.statement].kind == "loop"
            if loop:
                found |= {k: (v, at) for k, v in each.plain.items() if v.isdigit()}
            if each is run:
                break
        return dict(list(found.items())[:1])

    # The curve.

    def _play_rest(self, training: Training) -> None:
        if not training.losses:
            self.leave()
            return
        before, self._ring = self._there, None
        zone, gap = self.canvas.artboard.stage, self.canvas.artboard.px(20)
        losses = training.losses[: max(1, int(zone.width // _NARROW))]
        learned = [
            (learner, versions)
            for learner in training.learners
            if (versions := versions_of(self.trace, training, learner))
            and (learner.loss in losses or not training.steps)
        ]
        bar_height = self.canvas.artboard.px(52)
        rest = zone.height - (bar_height + gap if training.share is not None else 0.0)
        tall = rest * (0.52 if learned else 0.95)
        y = zone.y + tall + gap
        bar = self._bar(training, Zone(zone.x, y, zone.width, bar_height))
        y += 0.0 if bar is None else bar_height + gap
        curves = self._curves(losses, Zone(zone.x, zone.y, zone.width, tall))
        shelves = self._shelves(learned, losses, Zone(zone.x, y, zone.width, zone.bottom - y))
        chips = chip_row(self.canvas, [])
        parts: list[Mobject] = [*curves, *([] if bar is None else [bar]), *shelves, chips]

        def draw(time: float) -> None:
            laps = [curve.come_to(time) for curve in curves]
            lap = laps[0]
            if bar is not None:
                bar.come_to(lap)
            for shelf, (_, versions) in zip(shelves, learned, strict=True):
                known = [weight for at, weight in versions if at <= lap]
                shelf.become_weight(known[-1] if known else versions[0][1])
            text = f"{lap}/{training.laps}"
            lit = Drawn(0, text, "lap", index=(training.statement, lap, training.laps))
            redraw(chips, chip_row(self.canvas, [(lit,)]))

        draw(0.0)
        self._there = parts
        leaving = (FadeOut(each, run_time=QUICK) for each in before)
        self.scene.play(*leaving, *(FadeIn(each, run_time=BEAT) for each in parts))
        whole = Group(*parts)
        self.scene.remove(*before, *parts)
        self.scene.add(whole)
        self.scene.play(BlockAnimation(whole, draw, _CURVE))
        draw(1.0)
        self._there = [whole]

    def _curves(self, losses: Sequence[int], zone: Zone) -> list[LossCurve]:
        """Return the curves of these series, side by side."""
        curves = []
        for loss, own in zip(losses, self._columns(zone, len(losses)), strict=True):
            name, classes = self.trace.series[loss].name, classes_of(self.trace, loss)
            guess = None if classes is None else Guess(classes)
            points = points_of(self.trace, loss)
            curves.append(LossCurve(self.canvas, own, name, loss, points, guess))
        return curves

    def _columns(self, zone: Zone, count: int) -> list[Zone]:
        gap = self.canvas.artboard.px(32)
        width = (zone.width - gap * (count - 1)) / count
        return [
            Zone(zone.x + place * (width + gap), zone.y, width, zone.height)
            for place in range(count)
        ]

    def _bar(self, training: Training, zone: Zone) -> ShareBar | None:
        if training.share is None:
            return None
        name = self.trace.series[training.share].name
        points = points_of(self.trace, training.share)
        return ShareBar(self.canvas, zone, name, training.share, points)

    def _shelves(
        self,
        learned: list[tuple[Learner, list[tuple[int, Floats]]]],
        losses: Sequence[int],
        zone: Zone,
    ) -> list[TileShelf]:
        """Return a shelf for each matrix: each below the curve of its own loss, one alone over the
        whole width."""
        most = TILES if self.canvas.artboard.code is None else 2 * TILES
        places = self._columns(zone, len(losses) if len(learned) > 1 else 1)
        shelves = []
        for learner, versions in learned:
            place = losses.index(learner.loss) if learner.loss in losses and len(learned) > 1 else 0
            first, last = versions[0][1], versions[-1][1]
            rows = liveliest(first, last, max(1, most // len(places)))
            limit = limit_of(*(weight for _, weight in versions))
            shelves.append(TileShelf(self.canvas, places[place], first, rows, limit))
        return shelves
