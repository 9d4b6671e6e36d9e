"""What ``{{ x.grad }}`` quotes, moment by moment, against PyTorch without the tracer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torchreel.records import Trace
from torchreel.site.facts import quote
from torchreel.site.literals import data_text
from torchreel.site.references import Moment, Target
from torchreel.tracer import trace_script

LINES = """x = torch.tensor([2.0, 3.0], requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.5)
(x * 3).sum().backward()
(x * x).sum().backward()
optimizer.step()
optimizer.zero_grad(set_to_none=False)
(x * x).sum().backward()
x.grad.zero_()
(x * 4).sum().backward()
optimizer.zero_grad()
(x * 5).sum().backward()
x.grad = None
(x * 6).sum().backward()"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("gradients")
    (folder / "script.py").write_text(f"import torch\n\n# %% cell\n{LINES}\n")
    return trace_script(folder / "script.py", root=Path(folder))


@pytest.mark.parametrize("statement", range(1, len(LINES.splitlines()) + 1))
def test_a_gradient_is_what_it_was_at_the_moment(trace: Trace, statement: int) -> None:
    scope: dict[str, object] = {"torch": torch}
    exec("\n".join(LINES.splitlines()[:statement]), scope)
    x = scope["x"]
    assert isinstance(x, torch.Tensor)
    expected = "None" if x.grad is None else data_text(x.grad.numpy())
    runs = [run.statement for run in trace.runs]
    if statement not in runs:  # a line that ran no op ends no moment
        statement = max(each for each in runs if each <= statement)
    moment = Moment("script.py", "cell", statement)
    assert quote(trace, moment, Target(None, None, "x.grad"), "page:1") == expected
