"""Whether what comes out of a network are scores, the greatest of which is the answer."""

from __future__ import annotations

from torchreel.records import Trace
from torchreel.spelling import bare_name
from torchreel.stage.nets.links import Chain
from torchreel.stage.nets.sample import sample_of

_CHOOSES = {"cross_entropy", "nll_loss", "argmax", "softmax", "log_softmax", "topk", "multinomial"}
_MEASURES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss"}
_KEEPS = {"softmax", "log_softmax", "Softmax", "LogSoftmax"}
"""What makes shares of scores, and keeps which is the greatest."""


def are_scores(trace: Trace, chain: Chain) -> bool:
    """Tell whether the last features of a chain are scores: what the trace does with them says so,
    else they come from a linear layer that does not make as many features as went in. Of several
    results none is the answer."""
    if len(trace.calls[chain.call].results) > 1:
        return False
    result = chain.links[-1].result
    users = {
        bare_name(step.op)
        for step in trace.steps
        if any(each.tensor == result for each in step.operands)
    }
    if users & (_CHOOSES | _MEASURES):
        return not users & _MEASURES
    made = [link.kind for link in chain.links if link.kind not in _KEEPS]
    sizes = [sample_of(trace, each).features for each in (*chain.inputs, result)]
    return made[-1:] == ["Linear"] and sizes[-1] not in sizes[:-1]
