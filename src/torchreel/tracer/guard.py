"""What keeps a script from taking the build down, or from outliving it: limits, forked children,
threads that stay."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LINGER = 5.0
"""Seconds granted to threads that outlive the script; then the trace is written without them."""

Leave = Callable[[int], None]


def follow(lifeline: int) -> None:
    """End this process, and all that it started, as soon as the other end of a pipe is closed: who
    held it has ended, and were it by SIGKILL."""
    if lifeline < 0:
        return
    os.set_inheritable(lifeline, False)

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(lifeline, 1)
            os.killpg(0, signal.SIGKILL)

    _thread.start_new_thread(wait, ())  # the script's ``threading`` knows nothing of it


@contextlib.contextmanager
def limited(memory: int) -> Iterator[None]:
    """Let the process have at most ``memory`` bytes more than it has now (0: as many as there are).

    More raises MemoryError where the script asks for it, or torch's RuntimeError. Counted is what
    the process may write (Linux's RLIMIT_DATA), so what drivers of accelerators only reserve is
    not. On other systems there is no limit.
    """
    if not memory or not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = pages * resource.getpagesize() + memory
    with contextlib.suppress(ValueError, OSError):  # a lower limit was set already
        resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:  # writing the trace may need more
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, before)


class Forks:
    """Tells a forked child from the process that is traced: a child writes no trace."""

    def __init__(self, forked: Callable[[], None]) -> None:
        """``forked`` is called in each child, first of all."""
        self._pid = os.getpid()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=forked)

    def leave_if_child(self, leave: Leave, status: int) -> None:
        """End the process here if it is a child that ran on to the script's end."""
        if os.getpid() != self._pid:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            leave(status)


def linger() -> None:
    """Wait a while for the threads that Python would wait for at its end."""
    until = time.monotonic() + LINGER
    for thread in lingering():
        thread.join(max(0.0, until - time.monotonic()))


def lingering() -> list[threading.Thread]:
    """Return those threads: all that run, but daemons and this one."""
    own = threading.current_thread()
    return [each for each in threading.enumerate() if each is not own and not each.daemon]
