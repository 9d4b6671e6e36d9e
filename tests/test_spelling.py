"""Ops as a reader types them, for every operator of a script that torch really ran."""

from pathlib import Path

from torchreel.spelling import spell
from torchreel.tracer import trace_script

SPELLED = {
    "a + 1": "+",
    "1 + a": "+",
    "1 - a": "-",
    "-a": "-",
    "2 / a": "/",
    "a // 2": "//",
    "2 ** a": "**",
    "a % 2": "%",
    "a @ a.T": "@",
    "~(a > 1)": "~",
    "(a > 1) & b": "&",
    "a == 1": "==",
    "a >= 1": ">=",
    "a[0]": "[ ]",
    "a[0, 1:]": "[ ]",
    "a.T": "T",
    "a.mT": "mT",
    "abs(a)": "abs",
    "a.add(1)": "add",
    "torch.add(a, 1)": "add",
    "a.reshape(3, 2)": "reshape",
    "a.relu_()": "relu_",
    "torch.nn.functional.relu(a)": "relu",
}
WRITTEN = {
    "c += 1": "+=",
    "c -= 1": "-=",
    "c *= 2": "*=",
    "c **= 2": "**=",
    "c[0] = 5": "[ ] =",
    "c.add_(1)": "add_",
}


def test_ops_are_spelled_as_their_lines_spell_them(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    first = "import torch\na = torch.arange(6.0).reshape(2, 3)\nb = a > 2\nc = a.clone()\n"
    script.write_text(first + "\n".join([*SPELLED, *WRITTEN]) + "\n")
    trace = trace_script(script, root=tmp_path)
    last = {step.line: spell(step) for step in trace.steps}
    found = {line: last[number] for number, line in enumerate([*SPELLED, *WRITTEN], start=5)}
    assert found == SPELLED | WRITTEN
