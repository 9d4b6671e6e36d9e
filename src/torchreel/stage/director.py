"""The director: lays out the steps of a cell on the stage, one line after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from manim import Animation, Camera, FadeIn, FadeOut, Mobject, Scene, Wait, config
from manim.utils.color import ManimColor

from torchreel.records import (
    Cue,
    Drawn,
    Flaw,
    Problem,
    Run,
    Step,
    TensorRecord,
    TorchReelError,
    Trace,
)
from torchreel.returns import shown_runs
from torchreel.spelling import bare_name
from torchreel.stage import motion, numerals, registry
from torchreel.stage.act import Act
from torchreel.stage.artboard import ARTBOARDS, Zone
from torchreel.stage.block import BlockAnimation, TensorBlock
from torchreel.stage.canvas import Canvas
from torchreel.stage.checker import Frame, flaws, flaws_at_rest, lacking
from torchreel.stage.chips import Named, lap_width
from torchreel.stage.code import CodeBand
from torchreel.stage.colors import THEMES
from torchreel.stage.devices.act import Devices
from torchreel.stage.devices.errors import Errors
from torchreel.stage.elsewhere import catch_up
from torchreel.stage.frame import Parts, frame_of
from torchreel.stage.graph.act import Autograd
from torchreel.stage.loops import Loops, play_many
from torchreel.stage.memory import reading
from torchreel.stage.mismatch import Mismatch
from torchreel.stage.nets.act import Network
from torchreel.stage.pictures import Pictures
from torchreel.stage.printout import (
    Printout,
    lines_of,
    message_lines,
    message_of,
    printed_by_name,
    printout_of,
    room_below,
    rows_in,
    rows_of,
)
from torchreel.stage.ranks import Ranks
from torchreel.stage.recorded import recorded_label
from torchreel.stage.stage import Stage
from torchreel.stage.strip import Band, Sentence, ShapeStrip
from torchreel.stage.tape import MemoryTape
from torchreel.stage.training.act import TrainingLoop

_MOST = 3
"""The most tensors on stage before the first line."""

_PACE = (1.0, 0.65, 0.55)
"""How long a kind of op takes, of its first time, when a clip plays it again and again."""


_VALUE = 7
"""A value is told in place of a name in at most so many characters."""


class LessonScene(Scene):
    """A scene that plays the trace of one cell.

    Subclass it in ``scenes/`` and write :meth:`construct` where the automatic staging is not
    enough. After rendering, ``cues`` says when each line plays, ``drawn`` what was written on the
    screen and where in the trace it came from, ``poster_time`` (seconds) which frame tells most,
    ``warnings`` what the checker found wrong with a frame at the end of a step or of a line.
    """

    def __init__(
        self, trace: Trace, artboard: str = "page", theme: str = "dark", **kwargs: Any
    ) -> None:
        self.trace = trace
        board = ARTBOARDS[artboard]
        self._recorded = board.stage if trace.environment.recorded else None
        self.canvas = Canvas(board.headed() if self._recorded else board, THEMES[theme])
        self.cues: list[Cue] = []
        self.drawn: list[Drawn] = []
        self.warnings: list[Flaw] = []
        self._before: Frame | None = None
        self.playing: Run | None = None
        self._bound = 0
        self._end: Run | None = None
        self._tape_waits = False
        self.poster_time = 0.0
        self._poster_score = -1
        self._strip: Band | None = None
        self._acting: object = None
        self._code: CodeBand | None = None
        self._meanwhile: list[Animation] = []
        self._gone: list[Mobject] = []
        self._parting: list[Animation] = []
        self._pace = 1.0
        self._played: list[str] = []
        super().__init__(**kwargs)

    # What a scene author calls.

    def construct(self) -> None:
        """Play every line of the cell."""
        self.play_lines()

    def play_lines(self, hold: float = motion.HOLD) -> None:
        """Play every line that has not been played, holding each for ``hold`` seconds."""
        for run in self._runs[len(self.cues) :]:
            self._play_run(run, hold)

    def play_line(self, line: str, hold: float = motion.HOLD) -> None:
        """Play the lines up to the one named by its text or by the variable it binds.

        Raises TorchReelError where no line or more than one is so named.
        """
        run = self._find(line)
        for each in self._runs[len(self.cues) : self._runs.index(run) + 1]:
            self._play_run(each, hold)

    def block(self, name: str) -> TensorBlock:
        """Return the block on stage of the tensor with this name; raises TorchReelError."""
        for block in self.stage.blocks:
            if self.stage.names.get(name) == block.record.id:
                return block
        names = [self.stage.name_of(block.record) for block in self.stage.blocks]
        there = ", ".join(str(each) for each in names) or "nothing"
        raise TorchReelError(
            Problem("", f"no block named {name!r} is on stage", f"On stage is: {there}.")
        )

    # Scene.

    def setup(self) -> None:
        """Colour the background and set what is on stage before the first line."""
        theme = self.canvas.theme
        assert isinstance(self.camera, Camera), "TorchReel draws with Manim's cairo renderer"
        self.camera.background_color = ManimColor.from_rgb(tuple(theme.bg))
        self._runs = shown_runs(self.trace)
        self.stage = Stage(self, self.trace, self.canvas)
        self.network = Network(self, self.trace, self.canvas)
        self.autograd = Autograd(
            self, self.trace, self.canvas, self.stage.limit, self._is_of_a_network
        )
        self._devices = Devices(self.stage)
        errors = self._errors = Errors(self, self.trace, self.canvas)
        self._pictures = Pictures(self, self.trace, self.canvas, self.stage.photos)
        self._mismatch, self._ranks = Mismatch(self.stage), Ranks(self.stage)
        self._acts: list[Act] = [
            self._devices,
            self._mismatch,
            errors,
            self._ranks,
            self.network,
            self._pictures,
        ]
        self.training = TrainingLoop(self, self.trace, self.canvas)
        self._runs = self.training.runs(self._runs)
        self.loops = Loops(self.trace, self._is_drawn_by_act, self.training.loops)
        self._runs = self.loops.runs(self._runs)
        end = self._end = _end_of(self.trace)
        if end is not None and not any(run is end for run in self._runs):
            self._runs.append(end)
        if self._recorded is not None:
            self.add(recorded_label(self.canvas, self.trace.environment, self._recorded))
        if self.canvas.artboard.code is not None:
            self._code = CodeBand(self.canvas, self.trace.cells[0])
            self.add(self._code)

    def _is_of_a_network(self, step: Step) -> bool:
        """Tell whether a step is told as what a module computes: in its network, or by its op."""
        return self.network.covers(step) or self.network.word(step) is not None

    def get_run_time(self, animations: list[Animation]) -> float:
        """Return the run time in seconds, a whole number of frames.

        A quarter of a frame less (more for a still), so that rounding never adds or loses a frame.
        """
        rate = config.frame_rate
        frames = max(1, round(float(super().get_run_time(animations)) * rate))
        still = len(animations) == 1 and getattr(animations[0], "is_static_wait", False)
        waits = len(animations) == 1 and type(animations[0]).__name__ == "Wait"
        return (frames + (0.25 if still or waits else -0.25)) / rate

    def compile_animations(self, *args: Any, **kwargs: Any) -> list[Animation]:
        """Return the animations of a play, faster in the later laps of a loop and where a kind of
        op plays again."""
        animations = super().compile_animations(*args, **kwargs)
        pace, run = self._pace, self.playing
        if run is not None and not self.training.covers(run):  # which has a pace of its own
            pace *= self.loops.pace(run)
        for animation in animations:
            animation.run_time *= pace
            if isinstance(animation, Wait):
                animation.duration = animation.run_time
        return animations

    # One line.

    def _play_run(self, run: Run, hold: float) -> None:
        start, self.playing = self._now(), run
        steps = [self.trace.steps[number] for number in run.steps]
        self._bind_before(run)
        if trains := run is not self._end and self.training.covers(run):
            self._leave(self.training)
            self._say_nothing()
        if self._code is not None:
            self._light_code(run, at_once=trains)  # as the next card of the ring is
        if trains:
            self.training.play(run)
            hold = self.training.hold(run, hold)
        elif self.loops.stands_for_many(run):
            self.training.leave()
            self._leave(None)
            self._look_at_memory(None)  # what it shows is of the laps before
            self._say(self._told_of_many(run), meanwhile=True)
            play_many(self.stage, run)
        else:
            self.training.leave()
            self._acting = None if self._acting is self.training else self._acting
            self.stage.made = {}
            for step in steps:
                self._perform(step)
                self.stage.made |= dict.fromkeys(step.results, step)
                self._check_at_rest()
            if not steps:
                self._bring_printed(run)
                told = self.autograd.sentence_of_printed(run) or self.network.returned(run)
                if told is not None:
                    self._say(told, meanwhile=True)
                self.autograd.printed(run)
                self.network.show_whole(run)
            self._show_printed(run)
            if run is self._end and not run.steps:
                self._show_end()
        self.wait(hold if run is not self._runs[-1] else hold + motion.BEAT)
        self._end_cue(run, start)

    def _bind_before(self, run: Run) -> None:
        """Bring up to date what the names hold while a run is shown: a name that it lets go of is
        still there."""
        runs, self.stage.former = self.trace.runs, {}
        at = next((i for i in range(self._bound, len(runs)) if runs[i] is run), None)
        if at is None:
            return
        for each in runs[self._bound : at]:
            each.rebind(self.stage.names)
        held = [self.stage.record(each) for each in dict.fromkeys(self.stage.names.values())]
        self._meanwhile += catch_up(self.stage, held)
        bound = {key: held for key, held in run.changed.items() if held is not None}
        self.stage.former = self._renamed(run, bound)
        self.stage.names |= bound
        self._bound = at

    def _renamed(self, run: Run, bound: Mapping[str, int]) -> dict[int, str]:
        """Return the names that a run gives to other tensors, by the tensors that had them: what it
        writes in place keeps its name."""
        steps = [self.trace.steps[number] for number in run.steps]
        made = {each for step in steps if not step.written for each in step.results}
        names, record = self.stage.names, self.trace.tensor
        return {
            names[key]: key
            for key, held in bound.items()
            if key in names
            and (held in made or reading(record(held)) != reading(record(names[key])))
        }

    def _perform(self, step: Step) -> None:
        if self.autograd.skips(step):
            return
        if self.autograd.only_says(step) and self.stage.blocks:
            self._speak(step, meanwhile=False)
            return
        if self.autograd.covers(step):
            self._leave(self.autograd)
            self._say(self.autograd.sentence(step) or self._sentence(step), meanwhile=True)
            self._tell_failure(step)
            self.autograd.play(step)
            self._show_message(step)
        elif (act := next((act for act in self._acts if act.covers(step)), None)) is not None:
            self._leave(act)
            plain = self._sentence(step) if act is self._pictures else None
            if (sentence := plain or act.sentence(step)) is not None:
                self._say(sentence, meanwhile=True)
            elif act is not self.network or step.number == self.trace.runs[step.run].steps[0]:
                self._say_nothing()  # what is said there is of an earlier line
            self._tell_failure(step)
            act.play(step)
            self._show_message(step)
        else:
            self._leave(None)
            self._look_at_memory(self.stage.tape_of_step(step))
            self._name_memory(step)
            self._tell_failure(step)
            self._play_op(step)
            self._show_message(step)
            self.stage.fill_memory(step)

    def _tell_failure(self, step: Step) -> None:
        """Let the line of code turn red along with what is played next, where a step raised."""
        if step.clash is not None and self._code is not None:
            self._meanwhile.append(self._code.fail(motion.QUICK))

    def _play_op(self, step: Step) -> None:
        """Play a step by its choreography; what computes is faster when the clip has played it
        before, what moves or makes elements takes its time."""
        plan = registry.find(step.op, self.stage.provenance(step))
        name = plan.play.__name__
        told = self._played.count(name)
        times = 0 if plan.fills == "identity" else told
        self.stage.times, self._pace = times, _PACE[min(times, len(_PACE) - 1)]
        again = times > 0 or (told > 0 and registry.is_creation(step.op))
        self._speak(step, meanwhile=again or bool(self._parting))
        self._meanwhile += [*self.stage.unlight_boxes(), *self.stage.unpoint()]
        plan.play(self.stage, step)
        self._pace = 1.0
        self._played.append(name)

    def _leave(self, playing: object) -> None:
        """Clear the stage of all but the act that plays."""
        self._acting = playing
        if playing is not None:
            if self._is_printed:
                self._say_nothing()
            self._look_at_memory(None)
            if playing is self.network or playing is self._errors:
                self.let_go(*self.stage.parting())
            elif playing is not self._mismatch:  # which plays on what is there
                self.stage.clear()
        if playing is not self.autograd:
            self.autograd.leave()
        for act in self._acts:
            if act is not playing:
                act.leave()

    def let_go(self, gone: Sequence[Mobject], leaving: Sequence[Animation]) -> None:
        """Let what is on stage leave along with what comes next, so that no frame is empty."""
        self._parting += leaving
        self._gone += gone

    def _look_at_memory(self, tape: MemoryTape | None) -> None:
        """Let this tape, or none, be below the stage in the place of the one that is there."""
        stage, old = self.stage, self.stage.tape
        if tape is old:
            return
        if tape is not None and tape is stage.beside:
            stage.tape, stage.beside = tape, old
            return
        if old is not None and not self._tape_waits:
            tapes = {id(each) for each in stage.tapes}
            for each in [each for each in self._meanwhile if id(each.mobject) in tapes]:
                each.interpolate(1.0)  # what changes in memory that leaves
                self._meanwhile.remove(each)
            self._meanwhile += stage.tape_leaving()
            self._gone += stage.tapes
            stage.outline_none()
        self._tape_waits = False
        stage.tape, stage.beside = tape, None
        if tape is not None and self._strip is None:
            self.add(tape)
        if tape is not None and self._strip is not None:
            if self._is_printed:
                self._say_nothing()  # it may stand where the tape will be
            if old is None:
                self.stage.clear()  # what is there may reach down to where the tape will be
            self._meanwhile.append(FadeIn(tape, run_time=motion.BEAT, rate_func=motion.late))

    def _name_memory(self, step: Step) -> None:
        """Let memory lie as a step needs it: at once where it is not to be seen yet, or now."""
        at_once = self._strip is None or self.stage.tape not in self.mobjects
        for each in self.stage.name_memory(step):
            if at_once and isinstance(each, BlockAnimation):
                each.interpolate(1.0)
            else:
                self._meanwhile.append(each)

    @property
    def _is_printed(self) -> bool:
        """Whether what a line printed stands below the stage."""
        return isinstance(self._strip, Printout)

    def _light_code(self, run: Run, *, at_once: bool) -> None:
        assert self._code is not None
        light = self._code.light(run.statement, motion.QUICK)
        if at_once or not self.cues:
            light.interpolate(1.0)
        else:
            self.play(light)

    def _speak(self, step: Step, *, meanwhile: bool) -> None:
        """Say the step in the shape strip; the first sentence of a clip is there from the start."""
        if self._strip is None:
            self._enter(step)
        self._say(self.autograd.sentence(step) or self._sentence(step), meanwhile=meanwhile)
        self.autograd.note(step)

    def _say_nothing(self) -> None:
        self._finish_sentence()
        if self._strip is not None:
            self._meanwhile.append(FadeOut(self._strip, run_time=motion.QUICK))
            self._gone.append(self._strip)
            self._strip = None

    def say(self, sentence: Sentence) -> None:
        """Say a sentence in the strip, along with what is played next."""
        self._say(sentence, meanwhile=True)

    def _say(self, sentence: Sentence, *, meanwhile: bool = False) -> None:
        """Say a sentence in the strip, before what is played next or along with it; memory that
        comes to lie otherwise does so while a sentence is said before."""
        if meanwhile or self._gone:
            self._finish_sentence()
        strip, old = ShapeStrip(self.canvas, sentence), self._strip
        self._strip = strip
        if old is None or old.text == strip.text:
            self.remove(*([] if old is None else [old]))
            self.add(strip)
            return
        self._meanwhile += strip.follow(old, motion.SAY)
        self._gone.append(old)
        if self._tape_waits and self._acting is None:  # it made room for what was printed
            self._meanwhile += self.stage.tape_returning()
            self._tape_waits = False
        if not meanwhile:
            self.play()

    def _show_printed(self, run: Run) -> None:
        """Show what a line printed, below what is on stage and in the place of the strip; some
        acts have a picture of it themselves."""
        lines = lines_of(run)
        if not lines or self._acting in (self.training, self._ranks):
            return
        if self._acting is self.autograd and self.autograd.tells(run):
            return
        self._finish_sentence()
        for act in self._acts:
            act.printed(run)
        lap = self.loops.counter(run)
        room = self._room_to_print(lines, lap)
        if room is not None:
            self._print(printout_of(self.canvas, self.trace, run, room, lap))

    def _show_message(self, step: Step) -> None:
        """Show the message of what a step raised, where no page does, in the place of the strip."""
        if step.clash is None or self._code is None or self.playing is None:
            return
        self._finish_sentence()
        self.wait(motion.BEAT)
        if self._acting is self._devices:
            self._devices.printed(self.playing)
        lap = self.loops.counter(self.playing)
        room = self._room_to_print(message_lines(step.clash), lap)
        if room is not None:
            self._print(message_of(self.canvas, step.clash, step.number, room, lap))

    def _show_end(self) -> None:
        """Show what ended the script: its line red, its message in the place of the strip."""
        assert self.trace.error is not None
        if self._code is not None:
            self._meanwhile.append(self._code.fail(motion.QUICK))
        self._finish_sentence()
        room = self._room_to_print(message_lines(self.trace.error), None)
        if room is not None:
            self._print(message_of(self.canvas, self.trace.error, None, room, None))

    def _print(self, printed: Printout) -> None:
        """Let lines of text take the place of the strip."""
        old, self._strip = self._strip, printed
        if old is None:
            self._meanwhile.append(FadeIn(printed, run_time=motion.QUICK))
        else:
            self._meanwhile += printed.follow(old, motion.SAY)
            self._gone.append(old)
        self.play()
        self.wait(min(motion.QUICK * printed.rows, 2 * motion.SLOW))

    def _bring_printed(self, run: Run) -> None:
        """Let the tensors come that a line prints by their names, where no act has the stage."""
        records = printed_by_name(self.trace, run, self.stage.names)
        if self._acting is None and records:
            shown = [self.stage.record(each) for each in records]
            tape = self.stage.tape
            if tape is None or {each.storage for each in shown} != {tape.record.storage}:
                self._look_at_memory(None)
            self.stage.bring(shown)

    def _room_to_print(self, lines: list[str], lap: Drawn | None) -> Zone | None:
        """Return the zone for lines of text; the tape makes room where more of them have it
        then."""
        rows = rows_of(lines, self.canvas.artboard)
        room, tape = self._below(), self.stage.tape
        fitting = 0 if room is None else rows_in(room, self.canvas.artboard)
        if fitting < rows and tape is not None and tape in self.mobjects:
            self.play(*self.stage.tape_leaving())
            self._tape_waits = True
            room = self._below()
        if room is None or room == self.canvas.artboard.stage:
            return room
        return room.inset(left=lap_width(self.canvas, lap))

    def _below(self) -> Zone | None:
        others = [each for each in self.mobjects if each is not self._strip]
        return room_below(frame_of(Parts.of(others), self.canvas), self.canvas.artboard)

    def _enter(self, step: Step) -> None:
        """Let be on stage what a line works on: before the first one, and where nothing is."""
        operands = list(dict.fromkeys(self.stage.operands(step)))
        if not operands or self.stage.blocks or (self.cues and not step.results):
            return  # what is only read comes as its choreography wants it
        self.stage.enter(operands[:_MOST])
        if self._parting:
            self.play(*self.stage.entering())
        named = tuple(self.stage.named(each) for each in operands[:_MOST])
        self._strip = ShapeStrip(self.canvas, Sentence(named, None, ()))
        self.add(self._strip)
        self.wait(motion.HOLD)

    def _told_of_many(self, run: Run) -> Sentence:
        held = {key: each for key, each in run.changed.items() if each is not None}
        named = tuple(Named(key, self.stage.record(each)) for key, each in held.items())
        return Sentence((), None, named, lap=self.loops.counter(run))

    def _is_drawn_by_act(self, step: Step) -> bool:
        run = self.trace.runs[step.run]
        if self.training.covers(run) or self.autograd.covers(step):
            return True
        return any(act.covers(step) for act in self._acts)

    def _sentence(self, step: Step) -> Sentence:
        operands = dict.fromkeys(each.tensor for each in step.operands if each.tensor is not None)
        before = [self._given(tensor, step) for tensor in operands]
        after = [self.stage.named(self.stage.record(tensor)) for tensor in self._made(step)]
        if step.written and before and after:
            # What is written in place keeps its name.
            if after[0].name is None:
                after[0] = replace(before[0], record=after[0].record)
            elif before[0].name is None:
                before[0] = Named(after[0].name, before[0].record)
        lap = None if self.playing is None else self.loops.counter(self.playing)
        given, made = (tuple(map(self._valued, each)) for each in (before, after))
        if not made and bare_name(step.op) == "item":
            made = tuple(self._number(self.stage.record(each)) for each in operands)
        return Sentence(given, step, made, self.network.word(step), lap)

    def _given(self, tensor: int, step: Step) -> Named:
        """Return an operand with its name; where the step gives it back, with one that it had."""
        named = self.stage.named(self.stage.record(tensor))
        new = self.trace.runs[step.run].changed
        if tensor not in step.results or named.name not in new:
            return named
        old = [key for key, each in self.stage.names.items() if each == tensor and key not in new]
        return replace(named, name=old[-1]) if old else named

    def _made(self, step: Step) -> list[int]:
        """Return the results of a step; of what was written in place, that which it was written
        through: what else reads that memory is another tensor than before, too."""
        storages = [self.stage.record(each).storage for each in step.results]
        first = [storages.index(each) for each in storages]
        kept = [at == place or not step.written for place, at in enumerate(first)]
        return [each for each, keep in zip(step.results, kept, strict=True) if keep]

    def _valued(self, named: Named) -> Named:
        """Return a tensor by its value, where it has no name and one element."""
        value = self.trace.values.get(named.record.id)
        if named.name or value is None or value.size != 1:
            return named
        text = numerals.write(value.item(), _VALUE)
        return named if text is None else replace(named, name=text, valued=True)

    def _number(self, record: TensorRecord) -> Named:
        """Return the number that a tensor of one element holds, as ``item`` gives it to Python."""
        number = self._valued(Named(None, record))
        return replace(number, alone=number.valued)

    def _finish_sentence(self) -> None:
        if self._meanwhile:
            self.play()

    def _end_cue(self, run: Run, start: float) -> None:
        self._check_at_rest()
        end = self._now()
        number = len(self.cues) + 1
        on_stage = tuple(dict.fromkeys(block.record.id for block in self.stage.blocks))
        tensors = on_stage or self.autograd.tensors
        for act in self._acts:
            tensors = tensors or act.tensors
        self.cues.append(
            Cue(
                number,
                start,
                end,
                run.statement,
                run.lap,
                max(self.training.laps(run), self.loops.laps(run)),
                run.steps,
                tensors,
            )
        )
        written = [replace(source, cue=number) for source in self.sources_on_stage()]
        self.drawn += written
        # Many laps at once are what a loop is about.
        score = len(written) * self.training.laps(run)
        if score > self._poster_score:
            self._poster_score = score
            self.poster_time = end - 0.5 / config.frame_rate

    def _now(self) -> float:
        rate = config.frame_rate
        return float(round(self.renderer.time * rate) / rate)

    # What is written on the screen.

    def sources_on_stage(self) -> list[Drawn]:
        """Return where in the trace every text on screen comes from."""
        found, parts = [], Parts.of(self.mobjects)
        for label in parts.labels:
            if label.source is None:
                raise AssertionError(f"the text {label.text!r} does not say where it comes from")
            found.append(label.source)
        for block in parts.blocks:
            found += [source for _, source, _ in block.digits()]
        return found

    def is_set(self) -> bool:
        """Tell whether something is written on the stage itself, not only around it."""
        around = (self._strip, self._code, self.stage.tape)
        parts = Parts.of(each for each in self.mobjects if each not in around)
        return bool(parts.labels) or any(block.digits() for block in parts.blocks)

    def play(self, *args: Any, **kwargs: Any) -> None:
        """Play animations and meanwhile what the strip says, and look at the frame at the end."""
        meanwhile, self._meanwhile = self._meanwhile, []
        parting, self._parting = self._parting, []
        gone, self._gone = self._gone, []
        super().play(*parting, *meanwhile, *args, **kwargs)
        self.remove(*gone)
        if meanwhile and self._strip is not None:
            self.add(self._strip)
        self._check()

    def _check(self) -> Frame:
        """Note what is wrong with the frame as it stands, and return it."""
        frame = frame_of(Parts.of(self.mobjects), self.canvas)
        self._warn(flaws(frame, self.canvas.artboard))
        said = {each.what for each in self.warnings}
        self._warn([each for each in lacking(frame) if each not in said])
        return frame

    def _check_at_rest(self) -> None:
        """Note what is wrong with the frame at the end of a step."""
        frame = self._check()
        self._warn(flaws_at_rest(frame, self._before))
        self._before = frame

    def _warn(self, found: list[str]) -> None:
        if self.playing is not None:
            cue, statement = len(self.cues) + 1, self.playing.statement
            noted = [Flaw(cue, statement, what) for what in found]
            self.warnings += [each for each in noted if each not in self.warnings]

    def _find(self, line: str) -> Run:
        statements = {each.number: each.text for each in self.trace.cells[0].statements}
        left = self._runs[len(self.cues) :]
        found = [run for run in left if line in (statements[run.statement].strip(), *run.changed)]
        if len(found) == 1:
            return found[0]
        lines = ", ".join(repr(statements[run.statement]) for run in left)
        many = "no line" if not found else f"{len(found)} lines"
        raise TorchReelError(
            Problem(
                f"{self.trace.script}:{self.trace.cells[0].name}",
                f"{many} still to play match {line!r}",
                f"The lines still to play are: {lines}.",
            )
        )


def _end_of(trace: Trace) -> Run | None:
    """Return the run in which an exception ended the script: that of the torch call that raised it,
    else the last one, in which nothing came of it."""
    error = trace.error
    if error is None:
        return None
    clash = trace.steps[-1].clash if trace.steps else None
    if clash is not None and (clash.type, clash.message) == (error.type, error.message):
        return trace.runs[trace.steps[-1].run]
    last = trace.runs[-1]
    return None if last.steps or last.printed or last.changed or last.plain else last
