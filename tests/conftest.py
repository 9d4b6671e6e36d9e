"""What holds for every test: settings that have to be there before torch is imported."""

from __future__ import annotations

import os

from torchreel.tracer.process import ENVIRONMENT

# Several workers share the processor: torch's threads should not spin while they wait.
os.environ.setdefault("GOMP_SPINCOUNT", ENVIRONMENT["GOMP_SPINCOUNT"])
