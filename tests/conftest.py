"""What holds for every test: settings that have to be there before torch is imported, signals."""

from __future__ import annotations

import os
import signal

from torchreel.tracer.process import ENVIRONMENT

# Several workers share the processor: torch's threads should not spin while they wait.
os.environ.setdefault("GOMP_SPINCOUNT", ENVIRONMENT["GOMP_SPINCOUNT"])

# A shell has what it starts in the background ignore SIGINT, and the commands of the tests with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
