"""Results told one by one: what makes each of them is lit and written out, and it lands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from torchreel.stage import motion
from torchreel.stage.block import TensorBlock
from torchreel.stage.line import Part
from torchreel.stage.stage import Stage

HOLDS = (0.6, 0.3, 0.2)
"""How long each of the first results is looked at: the first one longest."""

_AGAIN = 0.5
"""How long a result is looked at where the clip has told such an op before."""

_TIMES = (motion.QUICK, 0.2, 0.2)
"""How long each is lit and lands."""


def tell(
    stage: Stage,
    sources: Sequence[TensorBlock],
    made: TensorBlock,
    elements: Sequence[int],
    line: Callable[[int], list[Part]],
) -> None:
    """Tell these elements of a result, at most three, then let all others land.

    The same element of each source makes one; ``line`` returns what is written of it (nothing:
    nothing). Where the op was told before, the last of them is enough.
    """
    told = elements[-1:] if stage.times else elements
    for hold, lasting, element in zip(HOLDS, _TIMES, told, strict=False):
        before = made.cells_of(np.arange(element))
        if not stage.times and len(before) and not made.pose.shown[before].all():
            stage.play(stage.land(made, np.arange(element), motion.BEAT))
        parts = line(element)
        written = stage.write_line(parts, lasting) if parts and stage.has_room(parts) else []
        stage.play(*(stage.light(each, [element], lasting) for each in sources), *written)
        stage.play(stage.land(made, [element], lasting), stage.light(made, [element], lasting))
        stage.scene.wait(min(hold, _AGAIN) if stage.times else hold)
    if not (len(made.elements) and made.pose.shown.all()):
        stage.play(stage.land(made))
