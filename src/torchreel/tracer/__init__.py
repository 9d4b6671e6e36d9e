"""Runs a script in a process of its own and returns what torch did (imports torch there)."""

from torchreel.tracer.cells import parse_cells
from torchreel.tracer.process import source_digest, torch_version, trace_script

__all__ = ["parse_cells", "source_digest", "torch_version", "trace_script"]
