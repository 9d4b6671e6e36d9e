"""The child process: ``python -B -P -m torchreel.tracer SCRIPT ROOT FOLDER TIMEOUT MEMORY LIFELINE
[ARGUMENT ...]``.

Runs the script as ``python SCRIPT`` would from ROOT, under observation, and writes its trace to
``FOLDER/trace``: when it has ended, when it ends itself by ``os._exit``, or after TIMEOUT seconds.
The current folder must be ROOT. ``FOLDER/fault`` gets the stack of a run that did not come back: a
crash, or one that cannot be interrupted. The script may take MEMORY bytes (0: as many as there
are) and is given the ARGUMENTS. LIFELINE is the end of a pipe: when nobody holds the other end any
more, all is over (-1: there is none).
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import io
import os
import platform
import signal
import sys
import threading
import tokenize
import traceback
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

import torch

from torchreel.records import HARD_EXIT, HIDDEN, TIME_LIMIT, Environment, ScriptError, Trace
from torchreel.store import file_digest, write_trace
from torchreel.tracer import guard, hold, likeness
from torchreel.tracer.cells import parse_script
from torchreel.tracer.clash import message_of
from torchreel.tracer.ends import last_run
from torchreel.tracer.inputs import Inputs
from torchreel.tracer.places import Places
from torchreel.tracer.probes import ENTER, LAP, LEAVE, LEGACY, OVER, probe
from torchreel.tracer.recorder import Recorder
from torchreel.tracer.unheard import legacy

UNSEEDED = torch.default_generator.initial_seed()
"""The seed that torch starts with where no script sets one."""

LATE = 5.0
"""Seconds after its limit a script is ended that could not be interrupted."""


def main(
    script: str, root: str, folder: str, timeout: str, memory: str, lifeline: str, *arguments: str
) -> None:
    """Trace ``script`` (its path as the trace names it) and write what was seen."""
    leave = os._exit
    guard.follow(int(lifeline))
    with Path(folder, "fault").open("w") as fault:
        traced = _Traced(script, Path(root), Path(folder), fault)
        traced.run(arguments, float(timeout), int(memory))
    if guard.lingering():  # Python would wait for them
        leave(0)


class _Traced:
    """A script under observation; its trace is written once, whatever ends it."""

    def __init__(self, path: str, root: Path, folder: Path, fault: IO[str]) -> None:
        self._file = root / path
        self._folder = folder
        self._fault = fault
        with tokenize.open(self._file) as opened:
            source = opened.read()
        self._script = parse_script(source, path)
        self._digest = file_digest(self._file)
        tree = probe(parse_script(source, path))
        self._code = compile(tree, str(self._file), "exec", dont_inherit=True)
        self._recorder = Recorder(self._script, Places(self._script, str(self._file)))
        self._inputs = Inputs(root)
        self._limits = contextlib.ExitStack()

    def run(self, arguments: Sequence[str], timeout: float, memory: int) -> None:
        """Run the script with these arguments, for at most so many seconds, and write its trace."""
        hidden = likeness.hidden(self._file.parent)
        if hidden:
            what = f"{hidden[0]} beside it would be imported in place of a module that is in use"
            self._write(ScriptError(0, HIDDEN, what))
            return
        recorder, leave = self._recorder, os._exit
        module = likeness.as_main(self._file, [self._script.path, *arguments])
        probes = {
            ENTER: recorder.enter,
            LEAVE: recorder.leave,
            LAP: recorder.lap,
            OVER: recorder.over,
        }
        vars(builtins).update(probes | {LEGACY: legacy(recorder)})
        sys.stdout = _Printed(sys.stdout, recorder.heard)
        likeness.attribute_warnings()
        hold.hide()
        faulthandler.enable(self._fault)
        self._note_exit()
        self._set_timer(timeout)
        recorder.install()
        forks = guard.Forks(recorder.abandon)
        self._inputs.listen()
        self._limits.enter_context(guard.limited(memory))
        self._limits.enter_context(likeness.deeper())
        error = _run(self._code, module, recorder)
        forks.leave_if_child(leave, status=error.status if error else 0)
        guard.linger()
        self._write(error)

    def _write(self, error: ScriptError | None, frame: FrameType | None = None) -> None:
        """Write what was seen; ``frame`` is the script's where it has not come to its end."""
        self._limits.close()
        self._inputs.stop()
        faulthandler.cancel_dump_traceback_later()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        recorder, script = self._recorder, self._script
        recorder.finish(frame)
        series, curves = recorder.laps.series()
        trace = Trace(
            script=script.path,
            cells=script.cells,
            runs=(*recorder.runs, *last_run(script, recorder, error)),
            steps=tuple(recorder.steps),
            tensors=tuple(recorder.tensors.records),
            environment=_environment(recorder),
            backwards=tuple(recorder.autograd.backwards),
            modules=tuple(recorder.modules.records),
            calls=tuple(recorder.modules.calls),
            optimizers=tuple(recorder.optimizers.steps),
            loops=recorder.laps.loops(),
            series=series,
            inputs=self._inputs.digests | {script.path: self._digest},
            error=error,
            values=recorder.tensors.values,
            arrays=recorder.tensors.arrays | curves | recorder.provenances.arrays,
            source=script.source,
        )
        scratch = self._folder / "writing"
        scratch.mkdir()
        write_trace(trace, scratch)
        scratch.rename(self._folder / "trace")

    # -- ends that Python does not come back from ------------------------------------------------

    def _note_exit(self) -> None:
        """Let ``os._exit`` leave the trace behind; of another thread's only the stack."""
        leave, pid = os._exit, os.getpid()

        def leave_noted(status: int) -> None:
            if os.getpid() == pid:
                what = f"the script ended itself by os._exit({status})"
                self._write_here(sys._getframe(1), HARD_EXIT, what, status)
            leave(status)

        os._exit = leave_noted  # type: ignore[assignment]

    def _set_timer(self, timeout: float) -> None:
        """End the script after so many seconds, with what was seen until then."""
        what, leave = f"the script did not end within {timeout:g} seconds", os._exit

        def end(_signal: int, frame: FrameType | None) -> None:
            self._write_here(frame, TIME_LIMIT, what, 1)
            leave(1)

        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, end)
            signal.setitimer(signal.ITIMER_REAL, timeout)
        faulthandler.dump_traceback_later(timeout + LATE, exit=True, file=self._fault)

    def _write_here(self, frame: FrameType | None, kind: str, what: str, status: int) -> None:
        """Write the trace of a script that is in the middle of ``frame``, or else the stack."""
        line, outermost = 0, None
        while frame is not None:
            if frame.f_code.co_filename == str(self._file):
                line, outermost = line or frame.f_lineno, frame
            frame = frame.f_back
        error = ScriptError(line, kind, what, status & 0xFF) if status else None
        try:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("the recorder is at work in the main thread")
            self._write(error, outermost)
        except Exception:  # it was interrupted at a bad moment
            faulthandler.dump_traceback(self._fault)


def _run(code: types.CodeType, module: types.ModuleType, recorder: Recorder) -> ScriptError | None:
    file = code.co_filename
    try:
        with recorder:
            exec(code, module.__dict__)
    except SystemExit as error:
        status = _status(error.code)
        return _script_error(error, file, status) if status else None
    except BaseException as error:
        own = error.__traceback__  # starts with this function's frame
        with contextlib.suppress(Exception):  # the script may have closed its output
            traceback.print_exception(error.with_traceback(own and own.tb_next))
        return _script_error(error, file)
    return None


def _status(code: Any) -> int:
    """Return the exit status that ``sys.exit(code)`` gives; Python prints what is no number."""
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    with contextlib.suppress(Exception):
        print(code, file=sys.stderr)
    return 1


def _script_error(error: BaseException, file: str, status: int = 1) -> ScriptError:
    """Return the error with the line of the innermost frame of the script itself."""
    line = 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            line = number
    return ScriptError(line, type(error).__name__, message_of(error), status)


def _environment(recorder: Recorder) -> Environment:
    devices = {record.device.partition(":")[0] for record in recorder.tensors.records}
    accelerators = sorted(devices - {"cpu", "meta"})
    seed = torch.initial_seed()
    return Environment(
        python=platform.python_version(),
        torch=str(torch.__version__),
        device=accelerators[0] if accelerators else "cpu",
        device_name=_device_name(accelerators[0]) if accelerators else "",
        seed=seed if seed != UNSEEDED else None,
    )


def _device_name(kind: str) -> str:
    """Return what the accelerator calls itself, or nothing (Apple's has no name)."""
    try:
        return str(torch.get_device_module(kind).get_device_name())
    except (RuntimeError, AttributeError, ValueError, AssertionError):
        return ""


class _Printed(io.TextIOWrapper):
    """Standard output that also tells ``heard`` what is written."""

    def __init__(self, stdout: Any, heard: Callable[[str], None]) -> None:
        super().__init__(stdout.detach(), encoding="utf-8", write_through=True)
        self._heard = heard

    def write(self, text: str) -> int:
        """Pass the text on, and tell."""
        written = super().write(text)
        self._heard(text)
        return written


if __name__ == "__main__":
    main(*sys.argv[1:])
