"""What is stale and why, and making it: the pipeline from lessons to artifacts.

Imports neither torch nor Manim: a build with nothing to do is as fast as MkDocs alone.
"""

from torchreel.plan.build import build, status
from torchreel.plan.outcome import Build, Outcome, Progress
from torchreel.plan.project import Project
from torchreel.plan.recordings import RECORDED

__all__ = ["RECORDED", "Build", "Outcome", "Progress", "Project", "build", "status"]
