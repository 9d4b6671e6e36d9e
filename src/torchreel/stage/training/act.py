"""The act of a training loop: its first laps in the ring, all others as a curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from manim import FadeIn, FadeOut, Group, Mobject, Scene, VGroup

from torchreel.records import Backward, Drawn, Operand, OptimizerStep, Run, Trace
from torchreel.spelling import bare_name
from torchreel.stage.block import BlockAnimation
from torchreel.stage.canvas import Canvas, redraw
from torchreel.stage.chips import lap_width
from torchreel.stage.motion import BEAT, HOLD, QUICK
from torchreel.stage.nets.sample import weight_of
from torchreel.stage.nets.shades import limit_of
from torchreel.stage.printout import lines_of, printout_of
from torchreel.stage.training.byhand import BY_HAND, step_until, with_steps_by_hand
from torchreel.stage.training.changes import Change, called_of, change_of
from torchreel.stage.training.chips import chip_row
from torchreel.stage.training.curve import LossCurve
from torchreel.stage.training.facts import (
    SLOW_LAPS,
    Training,
    laps_of,
    loops_around,
    loss_from,
    printed_by,
    seen_after,
    seen_at,
    shown_runs,
    targets_of,
    training_of,
)
from torchreel.stage.training.gradients import (
    Left,
    as_met,
    gradients_of,
    moved,
    rewritten,
    together,
    together_at,
    weight_moved,
)
from torchreel.stage.training.passes import (
    first_matrix,
    loss_of,
    pass_of,
    path_of,
    station_of,
    step_of,
)
from torchreel.stage.training.progress import Progress
from torchreel.stage.training.ring import BACKWARD, FORWARD, LOSS, STEP, Moment, TrainingRing
from torchreel.stage.training.tiles import Kept, tiles_of

_PACE = (0.8, 0.5, 0.3)
"""Seconds a station in the first laps."""

_CURVE = 5.0
"""Seconds that a curve takes at most."""

_HASTE = 1.5
"""Laps get faster as the curve is drawn: at time t (0 to 1) it has come to t to this power."""

_TURNS = 10
"""So many times the ring turns while a curve beside it is drawn."""

_RING, _BESIDE = 0.58, 0.035
"""The ring's share of the width where a curve is beside it, and that of the gap between."""


class TrainingLoop:
    """Plays the laps of a cell's training loop; everything it draws is of the trace.

    :meth:`runs` says which runs it shows: those of the first laps one by one, one for all others.
    """

    def __init__(self, scene: Scene, trace: Trace, canvas: Canvas) -> None:
        self.scene, self.canvas = scene, canvas
        self.trace = trace = with_steps_by_hand(trace)
        self.training = training_of(trace)
        self._laps = laps_of(trace, self.training.statement) if self.training is not None else {}
        self._there: list[Mobject] = []
        self._ring: TrainingRing | None = None
        self._told: Moment | None = None
        self._progress: Progress | None = None
        self._changed: dict[int, Change] = {}
        self._pass: Backward | None = None
        self._gradients: dict[int, Left] = {}
        self._made: tuple[Drawn, ...] = ()

    @property
    def loops(self) -> tuple[int, ...]:
        """The loop, and those around it."""
        if self.training is None:
            return ()
        loop = self.training.statement
        return loop, *loops_around(self.trace, loop)

    def runs(self, runs: list[Run]) -> list[Run]:
        """Return the runs that are played, in order."""
        return runs if self.training is None else shown_runs(self.trace, self.training, runs)

    def covers(self, run: Run) -> bool:
        """Tell whether a run is of the loop: its own, or one of its laps that raised nothing."""
        training = self.training
        if training is None or run.statement == training.statement:
            return training is not None
        raised = any(self.trace.steps[each].clash for each in run.steps)
        return id(run) in self._laps and not raised

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
        self._there, self._ring, self._progress = [], None, None

    # The ring.

    def _play_station(self, training: Training, run: Run) -> None:
        station = station_of(self.trace, run)
        if self._pass is None or station in (FORWARD, LOSS, BACKWARD):
            self._pass = pass_of(self.trace, run) or self._pass
        first = self._ring is None
        if self._ring is None:
            self.leave()
        ring = self._ring or self._place(training)
        self._told = self._moment(training, run, station)
        ring.tell(self._told)
        if self._progress is not None:
            self._progress.come_to(seen_after(self.trace, training, run), lit=False)
        self._show(ring, self._progress, self._below(training, run), fading=first)

    def _place(self, training: Training) -> TrainingRing:
        """Make the ring, over the whole stage or, where a curve has room beside it, at its left."""
        stage = self.canvas.artboard.stage
        if self.canvas.artboard.code is None or not training.losses:
            self._ring = TrainingRing(self.canvas, stage)
            return self._ring
        width = stage.width * _RING
        right = stage.inset(left=width + stage.width * _BESIDE)
        self._ring = TrainingRing(self.canvas, stage.inset(right=stage.width - width))
        self._progress = Progress(self.canvas, self.trace, training, right, numbered=False)
        return self._ring

    def _show(self, *parts: Mobject | None, fading: bool = False) -> None:
        there = [each for each in parts if each is not None]
        if fading and self.scene.renderer.time > 0:
            self.scene.play(*(FadeIn(each, run_time=QUICK) for each in there))
        else:
            self.scene.remove(*self._there)
            self.scene.add(*there)
        self._there = there

    def _moment(self, training: Training, run: Run, station: int | None) -> Moment:
        emptied = self._emptied(run)
        if emptied is not None and emptied.step is not None:
            self._empty(emptied.step)
        began, trace = self._pass, self.trace
        if station == FORWARD:
            self._made = self._named_by(run)
        if began is None:
            return Moment(station, emptied=emptied is not None)
        if station == BACKWARD:
            self._gradients |= gradients_of(trace, began, self._gradients)
        else:
            self._gradients |= rewritten(trace, run, self._gradients)
        there = self._gradients
        left = there.get(weight_moved(trace, began))
        name, loss = loss_of(trace, began, max(run.steps, default=-1))
        forward = path_of(trace, began, run if station == FORWARD else None)
        step = self._step_at(run)
        change = self._change(training, run, step)
        called = emptied or Drawn(0, bare_name(trace.steps[began.step].op), "op", step=began.step)
        return Moment(
            station,
            {
                FORWARD: [self._named(module) for module in forward.modules] or self._made,
                LOSS: [] if name is None else [name],
                BACKWARD: [called],
                STEP: called_of(trace, step) if change is None else change.called,
            },
            forward.features,
            path_of(trace, began).features,
            loss,
            together(
                [self._gradients[each] for each in moved(trace, began) if each in self._gradients]
            ),
            0 if left is None else left.passes,
            emptied is not None,
            change,
            None if training.steps else self._kept(training),
        )

    def _named(self, module: int) -> Drawn:
        record = self.trace.modules[module]
        text = record.name or record.path.split(".")[-1] or record.kind
        return Drawn(0, text, "module", module=module)

    def _named_by(self, run: Run) -> tuple[Drawn, ...]:
        """Return the names that a run gives to what it makes."""
        made = {each for number in run.steps for each in self.trace.steps[number].results}
        named = [(name, tensor) for name, tensor in run.changed.items() if tensor in made]
        return tuple(Drawn(0, name, "name", tensor=tensor) for name, tensor in named)

    def _emptied(self, run: Run) -> Drawn | None:
        """Return the name of the op that empties gradients in a run, if there is one."""
        left = {each.memory for each in self._gradients.values()}
        for number in run.steps:
            step = self.trace.steps[number]
            name, first = bare_name(step.op), next(iter(step.operands), None)
            of = first.tensor if first is not None else None
            by_hand = name == "zero_" and of is not None and self.trace.tensor(of).storage in left
            if name == "zero_grad" or by_hand:
                return Drawn(0, name, "op", step=number)
            if step.op.endswith("grad.__set__") and step.operands[1:2] == (
                Operand(literal="None"),
            ):
                return Drawn(0, "grad = None", "op", step=number)
        return None

    def _empty(self, step: int) -> None:
        """Forget the gradients that an op throws away."""
        thrown = {
            self.trace.tensor(each.tensor).storage
            for each in self.trace.steps[step].operands
            if each.tensor is not None
        }
        self._gradients = {
            memory: left
            for memory, left in self._gradients.items()
            if thrown.isdisjoint((memory, left.memory))
        }

    def _kept(self, training: Training) -> Kept:
        """Return the first tile of the weight that has gradients and that nothing steps."""
        weight = weight_of(self.trace, training.learners[0].first)
        if weight is None:
            return Kept(self.canvas)
        return Kept(self.canvas, tiles_of(weight)[0], limit_of(weight))

    def _step_at(self, run: Run) -> OptimizerStep | None:
        """Return the step of a run, else the one after the pass that the run works for."""
        step = next((each for each in self.trace.optimizers if each.step in run.steps), None)
        if step is None and self._pass is not None:
            step = step_of(self.trace, self._pass)
        return None if step is None else step_until(self.trace, step, max(run.steps, default=-1))

    def _change(self, training: Training, run: Run, step: OptimizerStep | None) -> Change | None:
        """Return what the step of a run did to the tile that it changed most, else what the last
        step did to the weight that the next one moves; before there is one, the weight as it is."""
        trace, now = self.trace, max(run.steps, default=-1)
        update = None if step is None else first_matrix(trace, step)
        if step is None or update is None:  # it is in a lap that was not kept
            return next(reversed(self._changed.values()), None)
        memory = trace.tensor(update.before).storage
        if step.step <= now or memory not in self._changed:
            change = self._change_of(training, step)
            if change is not None:
                done = step.step <= now
                self._changed[memory] = change if done else replace(change, other=None)
        return self._changed.get(memory)

    def _change_of(self, training: Training, step: OptimizerStep) -> Change | None:
        update = first_matrix(self.trace, step)
        if update is None:
            return None
        known = (each.first for each in training.learners if each.name == update.name)
        return change_of(self.canvas, self.trace, step, next(known, update.before))

    def _below(self, training: Training, run: Run) -> VGroup:
        """Return what stands below the ring: what a line printed, else what the loops count."""
        lap = self._laps[id(run)]
        lit = self._lap(training, lap)
        if lines_of(run):
            return self._printout(run, lit)
        texts: list[tuple[Drawn, ...]] = []
        for name, (value, at) in self._counters(run).items():
            source = Drawn(0, name, "plain", index=(at,))
            texts.append((source, Drawn(0, value, "plain", index=(at,))))
        return chip_row(self.canvas, [*texts, (lit,)])

    def _printout(self, run: Run, lit: Drawn) -> VGroup:
        room = self.canvas.artboard.strip.inset(left=lap_width(self.canvas, lit))
        return printout_of(self.canvas, self.trace, run, room, lit)

    def _below_rest(self, training: Training, lap: int, printed: Run | None) -> VGroup:
        """Return what stands below the curve at a lap: what a run printed, and the lap."""
        lit = self._lap(training, lap)
        if printed is not None:
            return self._printout(printed, lit)
        learner, *others = training.learners or (None,)
        if learner is None or others or not learner.name:
            return chip_row(self.canvas, [(lit,)])
        name = Drawn(0, learner.name, "name", tensor=learner.first)
        return chip_row(self.canvas, [(lit,), (name,)], color=self.canvas.theme.param)

    def _lap(self, training: Training, lap: int) -> Drawn:
        index = (training.statement, lap, training.laps)
        return Drawn(0, f"{lap}/{training.laps}", "lap", index=index)

    def _counters(self, run: Run) -> dict[str, tuple[str, int]]:
        """Return the whole numbers that loops around this one count with, as they are now."""
        found: dict[str, tuple[str, int]] = {}
        names = {
            each.number: targets_of(each.text)
            for each in self.trace.cells[0].statements
            if each.number in self.loops
        }
        for at, each in enumerate(self.trace.runs):
            own = names.get(each.statement, ())
            found |= {k: (v, at) for k, v in each.plain.items() if k in own and v.isdigit()}
            if each is run:
                break
        return dict(list(found.items())[:1])

    # The curve.

    def _play_rest(self, training: Training) -> None:
        if self._ring is None and self._told is not None:  # something else came between
            self._place(training).tell(self._told)
        ring = self._ring if self._progress is not None else None
        if not training.losses:  # the ring stays: there is nothing to draw a curve of
            if self._ring is not None:
                told = self._told_at(training, self._ring.moment, training.laps, None)
                self._ring.tell(told)
            last = printed_by(self.trace, training, training.laps)
            self._show(self._ring, self._below_rest(training, training.laps, last))
            return
        before, stage = self._there, self.canvas.artboard.stage
        progress = self._progress or Progress(
            self.canvas, self.trace, training, stage, numbered=True
        )
        curve = self._curve(training, progress)
        chips = chip_row(self.canvas, [])
        parts = [*([] if ring is None else [ring]), progress, chips]

        printed: list[Run | None] = [None]

        def come_to(time: float, *, moving: bool = False) -> int:
            lap = curve.lap_at(time**_HASTE)
            progress.come_to(seen_at(training, lap), lit=True)
            if not moving:  # what Manim moves keeps its parts: another line comes between two turns
                printed[0] = printed_by(self.trace, training, lap)
            redraw(chips, self._below_rest(training, lap, printed[0]))
            return lap

        if ring is None or not before:
            lap = come_to(0.0)
            if ring is not None:
                ring.tell(self._told_at(training, ring.moment, lap, curve.told))
            leaving = (FadeOut(each, run_time=QUICK) for each in before)
            self.scene.play(*leaving, *(FadeIn(each, run_time=BEAT) for each in parts))
            before = [*before, *parts]
        left = training.laps - SLOW_LAPS
        turns, seconds = min(_TURNS, left), min(_CURVE, 1 + 0.2 * left)
        for turn in range(turns):
            lap = come_to(turn / turns)
            if ring is not None:
                ring.tell(self._told_at(training, ring.moment, lap, curve.told))
            self._swap(before, Group(*parts))
            before = self._there

            def draw(time: float, turn: int = turn) -> None:
                come_to((turn + time) / turns, moving=True)
                if ring is not None:
                    ring.turn(time)
                    ring.write_loss(curve.told)

            self.scene.play(BlockAnimation(before[0], draw, seconds / turns))
        lap = come_to(1.0)
        if ring is not None:
            ring.tell(self._told_at(training, ring.moment, lap, curve.told))
        self._swap(before, Group(*parts))
        self._ring = self._progress = None

    def _curve(self, training: Training, progress: Progress) -> LossCurve:
        """Return the curve of the loss that the ring tells of: of the pass that was last in it."""
        loss = None if self._pass is None else loss_from(self.trace, training, self._pass)
        return next((each for each in progress.curves if each.number == loss), progress.curves[0])

    def _swap(self, before: list[Mobject], now: Mobject) -> None:
        """Let this be what is there: Manim lists anew the parts of what it has not seen."""
        self.scene.remove(*before)
        self.scene.add(now)
        self._there = [now]

    def _told_at(self, training: Training, moment: Moment, lap: int, loss: Drawn | None) -> Moment:
        """Return what the ring shows after many laps, none of its stations lit: of the gradient
        and the step the last ones that are known."""
        laps = laps_of(self.trace, training.statement)
        steps = [each for each in self.trace.optimizers if self._lap_of(laps, each.step) <= lap]
        change = None if not steps else self._change_of(training, steps[-1])
        change = change or moment.change
        return replace(
            moment,
            station=None,
            names={**moment.names, STEP: change.called} if change else moment.names,
            loss=loss,
            gradient=self._norm_at(training, lap) or self._norm_moved(steps[-1:]),
            passes=max(1, moment.passes),
            emptied=False,
            change=change,
            all_run=True,
        )

    def _lap_of(self, laps: Mapping[int, int], step: int) -> int:
        return laps.get(id(self.trace.runs[self.trace.steps[step].run]), 0)

    def _norm_moved(self, steps: list[OptimizerStep]) -> Drawn | None:
        """Return the norm of the gradients by which a step by hand moved its weights."""
        updates = [update for each in steps if each.kind == BY_HAND for update in each.updates]
        used = (each.gradient for each in updates)
        return together([as_met(self.trace, each) for each in used if each is not None])

    def _norm_at(self, training: Training, lap: int) -> Drawn | None:
        """Return the norm of the gradients that the ring tells of, the last one kept before a
        lap."""
        if self._pass is None:
            return None
        memory = weight_moved(self.trace, self._pass)
        own = next((each for each in training.learners if each.memory == memory), None)
        if own is None:
            return None
        namesakes = [each for each in training.learners if each.name == own.name]
        names, place = moved(self.trace, self._pass).values(), namesakes.index(own)
        return together_at(self.trace, training, names, lap, (place, len(namesakes)))
