"""Ops as a reader types them, for every operator of a script that torch really ran."""

from pathlib import Path

from torchreel.spelling import brackets, source_of, spell
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


IN_BRACKETS = {
    "a[0, 1:]": "[0, 1:]",
    "a[a > 2][1]": "[1]",
    "c[0, 0] = 5": "[0, 0] =",
    "c[1] += 1": "[1] =",
    "a[..., None]": "[..., None]",
    "a[torch.tensor([1, 0])]": None,
    "a + 1": None,
}
CODE = {
    "a * 2": "a * 2",
    "(a +  1).sum()": "(a + 1).sum()",
    "c[0] = 5": None,
    "c[1] += 1": None,
    "a.reshape(3, 2).sum()": None,
}


def test_what_is_short_is_told_as_its_line_has_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    first = "import torch\na = torch.arange(6.0).reshape(2, 3)\nc = a.clone()\n"
    script.write_text(first + "\n".join([*IN_BRACKETS, *CODE]) + "\n")
    last = {step.line: step for step in trace_script(script, root=tmp_path).steps}
    steps = [last[number] for number in range(4, 4 + len(IN_BRACKETS) + len(CODE))]
    assert [brackets(step) for step in steps[: len(IN_BRACKETS)]] == [*IN_BRACKETS.values()]
    assert [source_of(step) for step in steps[len(IN_BRACKETS) :]] == [*CODE.values()]
