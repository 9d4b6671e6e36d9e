"""Runs a script in a process of its own and reads back its trace; imports no torch itself."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import tokenize
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from torchreel.records import Problem, TorchReelError, Trace
from torchreel.store import digest_of, read_trace
from torchreel.tracer.cells import parse_script

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TORCH_COMPILE_DISABLE": "1",
    "GOMP_SPINCOUNT": "1000",
}
"""Set for every script: the order of sets is fixed, and what ``torch.compile`` is given runs as it
is: the ops of a compiled function cannot be seen (and torch 2.13 crashes when a mode is active).
Torch's threads soon sleep when they wait for one another, rather than spin: no result changes, but
where others use the processor too, spinning can make a script ten times slower."""

START = 120.0
"""Seconds granted beyond the script's own limit: to import torch, to measure what the ops moved and
to write the trace."""

Hear = Callable[[bytes], object]

LOG_KEPT, LOG_LINES = 10_000, 10
"""So many of the last bytes of a script's output are kept, so many last lines are shown."""


def trace_script(
    script: Path,
    *,
    root: Path,
    timeout: float = 600.0,
    memory: int | None = None,
    hear: Hear | None = None,
    hear_errors: Hear | None = None,
    arguments: Sequence[str] = (),
) -> Trace:
    """Run a script from ``root`` in a process of its own and return what torch did.

    ``arguments`` are its ``sys.argv[1:]``. ``timeout`` is in seconds. ``memory`` is how many bytes
    the script may take, half of what the machine has unless it is given: asking for more raises in
    the script (on Linux; there is no limit elsewhere). ``hear`` is given what it writes to its
    output, as it writes it, errors and warnings included, unless ``hear_errors`` is given those. A
    script that raises, that ends itself with an exit status other than 0, or that does not end in
    time gives a trace of what it did until then, with ``error`` set. Raises TorchReelError where
    the script cannot be read or parsed, crashes, or cannot be interrupted.
    """
    root = root.resolve()
    file = (root / script).resolve()
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
    _check(file, name)
    with tempfile.TemporaryDirectory(prefix="torchreel-") as folder:
        limits = timeout, _memory() if memory is None else memory
        status, output = _run([name, str(root), folder], arguments, limits, (hear, hear_errors))
        if Path(folder, "trace").is_dir():
            return read_trace(Path(folder, "trace"))
        fault = Path(folder, "fault")
        stack = fault.read_text(errors="replace") if fault.exists() else ""
        raise TorchReelError(_problem(name, file, status, stack, output, timeout))


def source_digest() -> str:
    """Return the sha256 of the tracer's own sources: an input of every trace."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return digest_of([[source.name, source.read_text()] for source in sources])


def torch_version() -> str:
    """Return the installed torch's version, without importing it; raises TorchReelError."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise TorchReelError(
            Problem("", "torch is not installed", "Run: pip install torch")
        ) from None


def _check(file: Path, name: str) -> None:
    """Raise here, before a process is started, for what the source alone shows."""
    try:
        with tokenize.open(file) as opened:
            source = opened.read()
    except OSError as error:
        raise TorchReelError(
            Problem(name, f"the script cannot be read: {error.strerror}", "Check its path.")
        ) from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise TorchReelError(
            Problem(name, f"the script's text cannot be decoded: {error}", "Save it as UTF-8.")
        ) from None
    parse_script(source, name)


def _memory() -> int:
    """Return half of the machine's or the container's memory in bytes; 0 where none is told."""
    told = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        told.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ValueError, OSError):  # "max" is no number
        told.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(told, default=0) // 2


def _run(
    what: list[str],
    given: Sequence[str],
    limits: tuple[float, int],
    hear: tuple[Hear | None, Hear | None],
) -> tuple[int | None, str]:
    """Return the child's exit status (None: it had to be ended) and the end of its output."""
    with (
        _lifeline() as (line, kept),
        subprocess.Popen(
            [
                sys.executable,
                "-B",
                "-P",
                "-m",
                "torchreel.tracer",
                *what,
                *map(str, (*limits, line)),
                *given,
            ],
            cwd=what[1],
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if hear[1] is None else subprocess.PIPE,
            start_new_session=True,
            pass_fds=kept,
        ) as child,
    ):
        tail = Tail()
        outputs = zip((child.stdout, child.stderr), hear, strict=True)
        readers = [
            threading.Thread(target=_listen, args=(output, tail, each), daemon=True)
            for output, each in outputs
            if output is not None
        ]
        for reader in readers:
            reader.start()
        try:
            status: int | None = child.wait(limits[0] + START)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(child)  # whatever the script itself started, too
        for reader in readers:
            reader.join(timeout=5)
    return status, tail.text


@contextlib.contextmanager
def _lifeline() -> Iterator[tuple[int, tuple[int, ...]]]:
    """Hold one end of a pipe, and yield the other and which files the child is to be given: when
    this process ends, however that is, the child sees it. There is none on Windows."""
    if not hasattr(os, "killpg"):
        yield -1, ()
        return
    theirs, ours = os.pipe()
    try:
        yield theirs, (theirs,)
    finally:
        os.close(theirs)
        os.close(ours)


class Tail:
    """The last bytes of what a script writes."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def hear(self, chunk: bytes) -> None:
        """Keep it, and forget what is too long ago."""
        self._kept.extend(chunk)
        del self._kept[:-LOG_KEPT]

    @property
    def text(self) -> str:
        """What is kept."""
        return self._kept.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The last LOG_LINES lines, as a terminal shows them."""
        lines = [line.rpartition("\r")[2] for line in self.text.replace("\r\n", "\n").split("\n")]
        return [line.rstrip() for line in lines if line.strip()][-LOG_LINES:]


def _listen(output: IO[bytes], tail: Tail, hear: Hear | None) -> None:
    while chunk := os.read(output.fileno(), 65536):
        if hear is not None:
            hear(chunk)
        tail.hear(chunk)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _problem(
    name: str, file: Path, status: int | None, stack: str, output: str, timeout: float
) -> Problem:
    """Say why there is no trace; ``stack`` is what faulthandler left, innermost frame first."""
    found = re.search(rf'File "{re.escape(str(file))}", line (\d+)', stack)
    where = f"{name}:{found[1]}" if found else name
    lines = output.strip().splitlines()[-LOG_LINES:]
    said = "\n    ".join(["The last lines of its output:", *lines]) if lines else ""
    if status is None or stack.startswith("Timeout"):
        advice = "Let it do less, make sure that its loop ends, or give it more time."
        return Problem(
            where, f"the script did not end within {timeout:g} seconds", _joined(advice, said)
        )
    if status < 0:
        advice = "Memory ran out, perhaps." if status == -9 else ""
        return Problem(where, f"the script crashed ({_signal(-status)})", _joined(advice, said))
    if stack:
        advice = "End it with sys.exit, or let it reach its end: os._exit leaves no trace."
        return Problem(
            where, f"the script ended itself by os._exit({status})", _joined(advice, said)
        )
    return Problem(where, f"the tracer failed (exit status {status})", said)


def _joined(*texts: str) -> str:
    return "\n    ".join(text for text in texts if text)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
