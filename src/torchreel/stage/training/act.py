"""The act of a training loop: its first laps in the ring, all others as a curve."""

from __future__ import annotations

from manim import FadeIn, FadeOut, Group, Mobject, Scene, VGroup

from torchreel.records import Backward, Drawn, OptimizerStep, ParameterUpdate, Run, Trace
from torchreel.spelling import bare_name
from torchreel.stage.artboard import Zone
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, redraw
from torchreel.stage.motion import BEAT, HOLD, QUICK
from torchreel.stage.nets.sample import Floats, weight_of
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.training.axis import Guess
from torchreel.stage.training.chips import chip_row
from torchreel.stage.training.curve import LossCurve, ShareBar
from torchreel.stage.training.facts import (
    SLOW_LAPS,
    Training,
    classes_of,
    features_of,
    first_matrix,
    laps_of,
    loss_of,
    norm_of,
    pass_of,
    points_of,
    shown_runs,
    station_of,
    training_of,
    versions_of,
)
from torchreel.stage.training.ring import BACKWARD, FORWARD, LOSS, STEP, TrainingRing
from torchreel.stage.training.tiles import TILES, Change, TileShelf, liveliest, tiles_of

_PACE = (0.8, 0.45, 0.25)
"""Seconds a station in the first laps."""

_CURVE = 5.0


class TrainingLoop:
    """Plays the laps of a cell's training loop; everything it draws is of the trace.

    :meth:`runs` says which runs it shows: those of the first laps one by one, one for all others.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.trace, self.canvas = scene, trace, canvas
        self.training = training_of(trace) if trace.optimizers else None
        self._laps = laps_of(trace, self.training) if self.training is not None else {}
        self._there: list[Mobject] = []
        self._ring: TrainingRing | None = None
        self._pass: Backward | None = None
        self._gradient: Drawn | None = None

    def runs(self, runs: list[Run]) -> list[Run]:
        """Return the runs that are played, in order."""
        return runs if self.training is None else shown_runs(self.trace, self.training, runs)

    def covers(self, run: Run) -> bool:
        """Tell whether a run is of the loop."""
        training = self.training
        if training is None:
            return False
        return run.statement == training.statement or run.statement in training.body

    def laps(self, run: Run) -> int:
        """Return how many laps a run stands for."""
        if self.training is None or run.statement != self.training.statement:
            return 1
        return self.training.laps - SLOW_LAPS

    def hold(self, run: Run, hold: float) -> float:
        """Return how long a run is held, of ``hold`` for any other: laps get faster."""
        if self.training is not None and run.statement in self.training.body:
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
        now = max(run.steps, default=-1)
        name, loss = (None, None) if self._pass is None else loss_of(self.trace, self._pass, now)
        change = self._change(training, run) if station == STEP else None
        emptied = self._emptied(run)
        if emptied is not None:
            self._gradient = None
        if station == BACKWARD and self._pass is not None:
            self._gradient = norm_of(self.trace, self._pass)
        first = self._ring is None
        if self._ring is None:
            self.leave()
            zone = self.canvas.artboard.stage
            features = features_of(self.trace, training)
            self._ring = TrainingRing(self.canvas, zone, features)
        self._ring.light(station, name, loss, change, self._gradient, emptied)
        chips = self._chips(training, run)
        if first and self.scene.renderer.time > 0:
            self.scene.play(*(FadeIn(each, run_time=QUICK) for each in (self._ring, chips)))
        else:
            self.scene.remove(*self._there)
            self.scene.add(self._ring, chips)
        self._there = [self._ring, chips]

    def _emptied(self, run: Run) -> Drawn | None:
        """Return the name of the op that empties the gradients in a run, if there is one."""
        for number in run.steps:
            step = self.trace.steps[number]
            if bare_name(step.op) == "zero_grad":
                return Drawn(0, bare_name(step.op), "op", step=number)
        return None

    def _change(self, training: Training, run: Run) -> Change | None:
        """Return what the step of a run did to the tile that it changed most."""
        step = next(
            (each for each in self.trace.optimizers if each.step in run.steps),
            None,
        )
        update = None if step is None else first_matrix(self.trace, step)
        if step is None or update is None:
            return None
        before = weight_of(self.trace, update.before)
        after = weight_of(self.trace, update.after)
        if before is None or after is None or before.shape != after.shape:
            return None
        row = liveliest(before, after, 1)[0]
        other, sign = self._other(step, update, before, after)
        source = Drawn(0, sign, "sign")
        limit = limit_of(before, *(weight for _, weight in versions_of(self.trace, training)))
        return Change(self.canvas, tiles_of(before)[row], tiles_of(other)[row], sign, limit, source)

    def _other(
        self, step: OptimizerStep, update: ParameterUpdate, before: Floats, after: Floats
    ) -> tuple[Floats, str]:
        """Return the gradient where the step was ``W − η ∇``, else what was added."""
        plain = step.kind == "SGD" and step.settings.get("momentum") in ("0", "0.0")
        if plain and update.gradient is not None:
            gradient = weight_of(self.trace, update.gradient)
            if gradient is not None:
                return gradient, "−η"
        return after - before, "+"

    def _chips(self, training: Training, run: Run) -> VGroup:
        texts: list[tuple[Drawn, ...]] = []
        for name, (value, at) in self._counters(run).items():
            source = Drawn(0, name, "plain", index=(at,))
            texts.append((source, Drawn(0, value, "plain", index=(at,))))
        lap = self._laps[id(run)]
        index = (training.statement, lap, training.laps)
        lit = Drawn(0, f"{lap}/{training.laps}", "lap", index=index)
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
        if training.loss is None:
            self.leave()
            return
        before, self._ring = self._there, None
        zone, px = self.canvas.artboard.stage, self.canvas.artboard.px
        points = points_of(self.trace, training.loss)
        versions = versions_of(self.trace, training)
        bar_height = px(52)
        rest = zone.height - (bar_height + px(20) if training.share is not None else 0.0)
        tall = rest * (0.52 if versions else 0.95)
        name = self.trace.series[training.loss].name
        classes = classes_of(self.trace, training.loss)
        curve = LossCurve(
            self.canvas,
            Zone(zone.x, zone.y, zone.width, tall),
            name,
            training.loss,
            points,
            None if classes is None else Guess(classes),
        )
        y = zone.y + tall + px(20)
        bar = self._bar(training, Zone(zone.x, y, zone.width, bar_height))
        if bar is not None:
            y += bar_height + px(20)
        shelf = self._shelf(versions, Zone(zone.x, y, zone.width, zone.bottom - y))
        chips = chip_row(self.canvas, [])
        parts: list[Mobject] = [each for each in (curve, bar, shelf, chips) if each is not None]

        def draw(time: float) -> None:
            lap = curve.come_to(time)
            if bar is not None:
                bar.come_to(lap)
            if shelf is not None:
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

    def _bar(self, training: Training, zone: Zone) -> ShareBar | None:
        if training.share is None:
            return None
        name = self.trace.series[training.share].name
        points = points_of(self.trace, training.share)
        return ShareBar(self.canvas, zone, name, training.share, points)

    def _shelf(self, versions: list[tuple[int, Floats]], zone: Zone) -> TileShelf | None:
        if not versions:
            return None
        first, last = versions[0][1], versions[-1][1]
        count = TILES if self.canvas.artboard.code is None else 2 * TILES
        rows = liveliest(first, last, count)
        limit = limit_of(*(weight for _, weight in versions))
        return TileShelf(self.canvas, zone, first, rows, limit)
