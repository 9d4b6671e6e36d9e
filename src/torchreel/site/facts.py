"""What a trace knows of a name at a moment, as the text that a page quotes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeAlias

import numpy as np

from torchreel.records import (
    Array,
    Clash,
    Problem,
    Series,
    Shape,
    TensorRecord,
    TorchReelError,
    Trace,
)
from torchreel.site.artifacts import did_you_mean
from torchreel.site.literals import DATA_LIMIT, data_text, shape_text
from torchreel.site.moments import State
from torchreel.site.references import Moment, Target

Fact: TypeAlias = str | int | float | Array | Shape

SIGNIFICANT = ".4g"
"""How a number of a series is written: with four digits, where the page asks for nothing else."""


def quote(trace: Trace, moment: Moment, target: Target, where: str) -> str:
    """Return the text of what a reference names, at a moment; raises TorchReelError."""
    facts = _Facts(trace, moment, target)
    try:
        fact = facts.find()
        if target.index and target.text != "printed":
            fact = _element(fact, target.index)
        return _text(fact, target.format)
    except _UnknownError as unknown:
        raise TorchReelError(Problem(where, unknown.what, unknown.remedy)) from None
    except (ValueError, TypeError):
        what = f"`{target.text}` cannot be written in the format {target.format!r}"
        remedy = "A format is Python's, of one number: {{ loss.last | .2f }}, {{ share | .0%% }}."
        raise TorchReelError(Problem(where, what, remedy.replace("%%", "%"))) from None
    except IndexError:
        what, remedy = f"`{target.text}` has no such element", facts.size()
        raise TorchReelError(Problem(where, what, remedy)) from None


class _UnknownError(Exception):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class _Facts:
    """A reference looked up in a trace: tensors first, then what else a name can be."""

    def __init__(self, trace: Trace, moment: Moment, target: Target) -> None:
        self.trace, self.moment, self.target = trace, moment, target
        self.state = State.after(trace, moment.cell, moment.statement)

    def find(self) -> Fact:
        """Return what the reference names."""
        name, attribute = self.target.name, self.target.attribute
        tensor = self.state.tensor(name)
        if tensor is not None and (attribute or name != "printed"):
            return self._of_tensor(self.trace.tensor(tensor), attribute)
        whole = self.state.tensor(self.target.text) if attribute else None
        if whole is not None:
            return self._of_tensor(self.trace.tensor(whole), "")
        for look in (
            self._plain,
            self._series,
            self._module,
            self._told,
            self._optimizer,
            self._error,
        ):
            fact = look(name, attribute)
            if fact is not None:
                return fact
        raise self._unknown()

    def size(self) -> str:
        """Return what the shape is that an index went beyond."""
        tensor = self.state.tensor(self.target.name)
        if tensor is None:
            return "Count from 0."
        return (
            f"The shape of {self.target.name!r} is {shape_text(self.trace.tensor(tensor).shape)}."
        )

    def _of_tensor(self, tensor: TensorRecord, attribute: str) -> Fact:
        if attribute in SERIES and (series := self._series(self.target.name, attribute)):
            return series
        if attribute in ("", "value"):
            if tensor.numel != 1:
                what = f"`{self.target.text}` is a tensor of {tensor.numel} numbers"
                raise _UnknownError(what, "Quote its .data, .shape or another attribute.")
            attribute = "data"
        if attribute == "grad":
            try:
                gradient = self.state.gradient(tensor.id)
            except LookupError:
                raise _UnknownError(*self._left_out()) from None
            if gradient is None:
                return "None"
            tensor, attribute = self.trace.tensor(gradient), "data"
        if attribute not in ATTRIBUTES:
            what = f"a tensor has no attribute {attribute!r} that can be quoted"
            raise _UnknownError(what, did_you_mean(attribute, (*ATTRIBUTES, "grad"), "There are"))
        variable = self.target.name in self.state.tensors
        if attribute == "data" and not variable and not self.state.is_current(tensor.id):
            raise _UnknownError(*self._left_out())
        fact = ATTRIBUTES[attribute](self.trace, tensor)
        if fact is None:
            raise _UnknownError(*_not_kept(self.target, attribute, tensor))
        return fact

    def _left_out(self) -> tuple[str, str]:
        what = f"the trace does not know `{self.target.text}` {_when(self.moment)}"
        return what, "It left laps of the loop out; a line after the loop can use it."

    def _plain(self, name: str, attribute: str) -> Fact | None:
        text = self.state.plain.get(name)
        return _value(text) if text is not None and attribute in ("", "value") else None

    def _series(self, name: str, attribute: str) -> Fact | None:
        """Return what a loop made of a number: its first, last, least, greatest, how many laps."""
        if attribute not in SERIES:
            return None
        found = [
            each
            for each in self.trace.series
            if (each.cell, each.name, each.kind) == (self.moment.cell, name, "name")
        ]
        if not found:
            return None
        if attribute == "laps":
            return sum(
                loop.laps
                for loop in self.trace.loops
                if (loop.cell, loop.statement) == (found[-1].cell, found[-1].statement)
            )
        return format(
            _of_series(self.trace, found[-1], attribute), self.target.format or SIGNIFICANT
        )

    def _module(self, name: str, attribute: str) -> Fact | None:
        module = self.state.module(name)
        if module is None:
            return None
        match attribute:
            case "kind":
                return module.kind
            case "detail":
                return module.detail
            case "numel":
                return self.state.parameters(module)
        return None

    def _told(self, name: str, attribute: str) -> Fact | None:
        if name == "environment" and attribute:
            told = asdict(self.trace.environment)
            if attribute not in told:
                what = f"an environment has no {attribute!r}"
                raise _UnknownError(what, did_you_mean(attribute, told, "There are"))
            if told[attribute] in ("", None):
                what = f"the trace of {self.trace.script} tells no {attribute} of its environment"
                remedy = "The device's name and the date are of traces recorded on an accelerator."
                raise _UnknownError(what, remedy)
            fact: Fact = told[attribute]
            return fact
        if name == "printed" and not attribute:
            return self._printed()
        return None

    def _printed(self) -> str:
        cell, statement = self.moment.cell, self.moment.statement
        text = "".join(
            run.printed
            for run in self.trace.runs
            if run.cell == cell and statement in (None, run.statement)
        )
        if not text.strip():
            raise _UnknownError(f"cell {cell!r} printed nothing there", "Quote a name instead.")
        lines = text.rstrip("\n").split("\n")
        if not self.target.index:
            return "\n".join(lines)
        return lines[self.target.index[0]]

    def _optimizer(self, name: str, attribute: str) -> Fact | None:
        if name != "optimizer" or not attribute:
            return None
        told: dict[str, Fact] = {}
        for made in self.trace.optimizers:
            run = self.trace.steps[made.step].run
            if run <= self.state.index and self.trace.runs[run].cell == self.moment.cell:
                settings = {setting: _value(text) for setting, text in made.settings.items()}
                told = {"kind": made.kind, **settings}
        if not told:
            what = f"no optimizer has stepped {_when(self.moment)}"
            raise _UnknownError(what, "Quote it below the clip of a cell that trains.")
        if attribute not in told:
            what = f"an optimizer has no {attribute!r} that can be quoted"
            raise _UnknownError(what, did_you_mean(attribute, told, "There are"))
        return told[attribute]

    def _error(self, name: str, attribute: str) -> Fact | None:
        if name != "error" or attribute not in ("type", "message"):
            return None
        found: Clash | None = None
        for step in self.trace.steps:
            run = self.trace.runs[step.run]
            if step.clash and step.run <= self.state.index and run.cell == self.moment.cell:
                found = step.clash
        if found is None:
            what = f"no torch call of cell {self.moment.cell!r} raised"
            raise _UnknownError(
                what, "An error is quoted below the clip of the cell that shows it."
            )
        return found.type if attribute == "type" else found.message

    def _unknown(self) -> _UnknownError:
        name, attribute, when = self.target.name, self.target.attribute, _when(self.moment)
        if name in self.state.plain:
            what = f"{name!r} holds a plain value {when}, which has no {attribute!r}"
            return _UnknownError(what, f"Write {{{{ {name} }}}}.")
        if self.state.module(name):
            what = f"a module has no attribute {attribute!r} that can be quoted"
            return _UnknownError(
                what, "There are: kind, detail, numel, and its parameters by name."
            )
        known = [*self.state.tensors, *self.state.plain, *self.state.modules()]
        return _UnknownError(
            f"nothing that can be quoted is called {name!r} {when}",
            did_you_mean(name, known, "There are"),
        )


def _of_series(trace: Trace, series: Series, attribute: str) -> float:
    values = trace.arrays[series.array][:, 1]
    return float(
        {"first": values[0], "last": values[-1], "min": values.min(), "max": values.max()}[
            attribute
        ]
    )


def _value(text: str) -> Fact:
    """Return a plain value: numbers as numbers, texts without their quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else text


def _element(fact: Fact, index: tuple[int, ...]) -> Fact:
    """Return an element of a value; raises IndexError."""
    if isinstance(fact, str):
        raise IndexError
    return np.asarray(np.asarray(fact)[index])


def _text(fact: Fact, form: str) -> str:
    if isinstance(fact, np.ndarray | tuple):
        if form:
            return format(np.asarray(fact).item(), form)
        return data_text(fact)
    if form and not isinstance(fact, str):
        return format(fact, form)
    return str(fact)


def _data(trace: Trace, tensor: TensorRecord) -> Array | None:
    values = trace.values.get(tensor.id)
    if values is None or tensor.numel > DATA_LIMIT or values.shape != tensor.shape:
        return None
    return values


def _expression(trace: Trace, tensor: TensorRecord) -> str | None:
    made = [step.expression for step in trace.steps if tensor.id in step.results]
    return made[0] if made else None


ATTRIBUTES: dict[str, Callable[[Trace, TensorRecord], Fact | None]] = {
    "shape": lambda _, tensor: tensor.shape,
    "dtype": lambda _, tensor: tensor.dtype,
    "numel": lambda _, tensor: tensor.numel,
    "nbytes": lambda _, tensor: tensor.nbytes,
    "ndim": lambda _, tensor: len(tensor.shape),
    "stride": lambda _, tensor: tensor.stride,
    "device": lambda _, tensor: tensor.device,
    "data": _data,
    "expression": _expression,
}
"""What each attribute of a tensor is; None where the trace does not hold it."""

SERIES = ("first", "last", "min", "max", "laps")
"""What can be quoted of a number that a loop left behind in each lap."""


def _not_kept(target: Target, attribute: str, tensor: TensorRecord) -> tuple[str, str]:
    if attribute == "expression":
        return f"no torch op of the trace made {target.name!r}", "Quote its .data or .shape."
    what = f"{target.name!r} holds {tensor.numel} numbers: too many to quote"
    if tensor.numel <= DATA_LIMIT:
        what = f"the trace did not keep the values of {target.name!r}"
    return what, f"Quote its .shape or .numel; .data quotes up to {DATA_LIMIT} numbers."


def _when(moment: Moment) -> str:
    if moment.statement is None:
        return f"at the end of cell {moment.cell!r}"
    return f"after statement {moment.statement} of cell {moment.cell!r}"
