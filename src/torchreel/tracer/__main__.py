"""The child process: ``python -B -P -m torchreel.tracer SCRIPT ROOT FOLDER TIMEOUT [MEMORY]``.

Runs the script as ``python SCRIPT`` would from ROOT, under observation, and writes its trace to
``FOLDER/trace``. The current folder must be ROOT. ``FOLDER/fault`` gets the stack of a run that
did not come back: a crash, ``os._exit``, more than TIMEOUT seconds. The script may take MEMORY
bytes (0, the default: as many as there are).
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import platform
import sys
import tokenize
import traceback
import types
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import IO, Any

import torch

from torchreel.records import Environment, ScriptError, Trace
from torchreel.store import file_digest, write_trace
from torchreel.tracer import guard
from torchreel.tracer.cells import parse_script
from torchreel.tracer.clash import message_of
from torchreel.tracer.guard import Leave
from torchreel.tracer.inputs import Inputs
from torchreel.tracer.places import Places
from torchreel.tracer.probes import ENTER, LAP, LEAVE, probe
from torchreel.tracer.recorder import Recorder

UNSEEDED = torch.default_generator.initial_seed()
"""The seed that torch starts with where no script sets one."""


def main(script: str, root: str, folder: str, timeout: str, memory: str = "0") -> None:
    """Trace ``script`` (its path as the trace names it) and write what was seen."""
    file = Path(root, script)
    with tokenize.open(file) as opened:
        source = opened.read()
    leave = os._exit
    with Path(folder, "fault").open("w") as fault:
        trace = _trace(source, script, Path(root), float(timeout), int(memory), fault)
    scratch = Path(folder, "writing")
    scratch.mkdir()
    write_trace(trace, scratch)
    scratch.rename(Path(folder, "trace"))
    if guard.lingering():  # Python would wait for them
        leave(0)


def _trace(
    source: str, path: str, root: Path, timeout: float, memory: int, fault: IO[str]
) -> Trace:
    script, file = parse_script(source, path), root / path
    digest = file_digest(file)
    code = compile(probe(parse_script(source, path)), str(file), "exec", dont_inherit=True)
    recorder = Recorder(script, Places(script, str(file)))
    inputs = Inputs(root)
    module = _as_main(file, script.path)
    module.__dict__.update({ENTER: recorder.enter, LEAVE: recorder.leave, LAP: recorder.lap})
    sys.stdout = _Printed(sys.stdout, recorder.heard)
    faulthandler.enable(fault)
    faulthandler.dump_traceback_later(timeout, exit=True, file=fault)
    leave = _note_exit(fault)
    recorder.install()
    forks = guard.Forks(recorder.abandon)
    inputs.listen()
    with guard.limited(memory), guard.deeper():
        error = _run(code, module, recorder)
        forks.leave_if_child(leave, failed=error is not None)
        guard.linger()
    inputs.stop()
    faulthandler.cancel_dump_traceback_later()
    recorder.finish()
    series, curves = recorder.laps.series()
    return Trace(
        script=script.path,
        cells=script.cells,
        runs=tuple(recorder.runs),
        steps=tuple(recorder.steps),
        tensors=tuple(recorder.tensors.records),
        environment=_environment(recorder),
        backwards=tuple(recorder.autograd.backwards),
        modules=tuple(recorder.modules.records),
        calls=tuple(recorder.modules.calls),
        optimizers=tuple(recorder.optimizers.steps),
        loops=recorder.laps.loops(),
        series=series,
        inputs=inputs.digests | {script.path: digest},
        error=error,
        values=recorder.tensors.values,
        arrays=recorder.tensors.arrays | curves | recorder.provenances.arrays,
    )


def _as_main(file: Path, script: str) -> types.ModuleType:
    """Make the module ``__main__`` and the arguments that ``python script`` would make."""
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=str(file),
        __builtins__=__builtins__,
        __cached__=None,
        __loader__=SourceFileLoader("__main__", str(file)),
    )
    sys.modules["__main__"] = module
    sys.argv = [script]
    sys.path.insert(0, str(file.parent))
    return module


def _run(code: types.CodeType, module: types.ModuleType, recorder: Recorder) -> ScriptError | None:
    file = code.co_filename
    try:
        with recorder:
            exec(code, module.__dict__)
    except SystemExit as error:
        if error.code in (None, 0):
            return None
        return _script_error(error, file)
    except BaseException as error:
        own = error.__traceback__  # starts with this function's frame
        with contextlib.suppress(Exception):  # the script may have closed its output
            traceback.print_exception(error.with_traceback(own and own.tb_next))
        return _script_error(error, file)
    return None


def _script_error(error: BaseException, file: str) -> ScriptError:
    """Return the error with the line of the innermost frame of the script itself."""
    line = 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            line = number
    return ScriptError(line, type(error).__name__, message_of(error))


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


def _note_exit(fault: IO[str]) -> Leave:
    """Let ``os._exit`` leave the stack behind: it ends the process before anything is written.

    Returns the function as it was.
    """
    leave, pid = os._exit, os.getpid()

    def leave_noted(status: int) -> None:
        if os.getpid() == pid:
            faulthandler.dump_traceback(fault)
        leave(status)

    os._exit = leave_noted  # type: ignore[assignment]
    return leave


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
