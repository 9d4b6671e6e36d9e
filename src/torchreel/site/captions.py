"""Captions made from a trace: what a statement did, in the words of a language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from torchreel.records import (
    Backward,
    Cue,
    ModuleCall,
    OptimizerStep,
    Run,
    Step,
    TensorRecord,
    Trace,
)
from torchreel.returns import returned_calls
from torchreel.site.facts import SIGNIFICANT
from torchreel.site.literals import shape_text
from torchreel.site.moments import State
from torchreel.site.words import Words, numbered
from torchreel.spelling import bare_name, spell

_RESHAPES = {"reshape", "view", "flatten", "unflatten", "ravel", "view_as", "reshape_as"}
_CASTS = {"to", "type", "type_as", "double", "float", "half", "bfloat16", "long", "int", "bool"}
_GAP = re.compile(r"(?<=[\u3040-\u30ff]) (?=[\u3040-\u30ff])")
"""Between kana no space is written, as there is beside a name or a number."""
_SENTENCES = 3
"""A statement of more steps is summed up in one sentence."""
_NAMES = 4
"""So many names are listed; more are counted."""


def statement_caption(trace: Trace, run: Run, words: Words) -> str:
    """Return what one run of a statement did, in words made from its steps."""
    return _Teller(trace, run, words).caption()


def loop_caption(trace: Trace, cell: str, statement: int, words: Words) -> str:
    """Return what a loop did in all: its laps, and what its numbers went from and to."""
    laps = sum(
        loop.laps for loop in trace.loops if (loop.cell, loop.statement) == (cell, statement)
    )
    sentences = [numbered(words.looped, laps)] if laps else []
    for series in trace.series:
        if (series.cell, series.statement, series.kind) == (cell, statement, "name"):
            values = trace.arrays[series.array][:, 1]
            first, last = (format(float(value), SIGNIFICANT) for value in (values[0], values[-1]))
            if len(values) > 1 and first != last:
                sentences.append(words.went.format(name=series.name, first=first, last=last))
    return words.join.join(sentences[: _SENTENCES + 1])


def lap_prefix(cue: Cue, looped: bool, words: Words) -> str:
    """Return which laps of a loop a cue shows; nothing outside of loops."""
    if not looped:
        return ""
    if cue.laps > 1:
        return words.laps.format(lap=cue.lap, last=cue.lap + cue.laps - 1)
    return words.lap.format(lap=cue.lap)


class _Teller:
    """Tells of one run."""

    def __init__(self, trace: Trace, run: Run, words: Words) -> None:
        self.trace, self.run, self.words = trace, run, words
        self.names = _names_before(trace, run)
        self.backwards = {each.step: each for each in trace.backwards}
        self.optimizers = {each.step: each for each in trace.optimizers}

    def caption(self) -> str:
        words = self.words
        sentences = list(self._sentences())
        if len(sentences) > _SENTENCES:
            count = words.steps.format(count=len(self.run.steps))
            sentences = [count, sentences[-1]]
        plain = self.run.plain.items()
        sentences += [words.value.format(name=name, value=value) for name, value in plain][:2]
        if self.run.printed.strip():
            sentences.append(words.printed.format(printed=self.run.printed.strip()))
        return words.join.join(sentences)

    def _sentences(self) -> Iterator[str]:
        told: set[int] = set()
        if not self.run.steps and (call := self._returned()) is not None:
            yield self._called(call)
        for step in (self.trace.steps[number] for number in self.run.steps):
            call = self.trace.outermost_call(step)
            if call is not None and not step.clash:
                if call.number not in told:
                    told.add(call.number)
                    yield self._called(call)
            elif text := self._sentence(step):
                yield text

    def _sentence(self, step: Step) -> str:
        if step.clash:
            message = step.clash.message.strip().split("\n")[0]
            return self._say(self.words.raised, step, type=step.clash.type, message=message)
        if step.number in self.backwards:
            return self._walked(self.backwards[step.number])
        if step.number in self.optimizers:
            return self._updated(step, self.optimizers[step.number])
        if step.op.endswith("zero_grad"):
            return self._say(self.words.cleared, step)
        if not step.results:
            if len(self.run.steps) > 1 or self.run.plain:
                return ""
            sources = self._named([each.tensor for each in step.operands])
            template = self.words.read if sources else self.words.ran
            return self._say(template, step, sources=sources)
        return self._made(step)

    def _made(self, step: Step) -> str:
        operands = [each.tensor for each in step.operands]
        before, after = self._tensors(operands), self.trace.tensor(step.results[0])
        old, new = _difference(before, after)
        return self._say(
            _template(step, before, after, self.words),
            step,
            name=self._name(after) or self.words.result,
            numel=after.numel,
            before=_shapes(before),
            after=shape_text(after.shape),
            sources=self._named(operands),
            results=self._named(step.results),
            old=old,
            new=new,
        )

    def _named(self, tensors: Sequence[int | None]) -> str:
        """Return tensors in a row, each with its name and shape."""
        return self._listed([self._named_shape(each) for each in self._tensors(tensors)])

    def _named_shape(self, tensor: TensorRecord) -> str:
        name, shape = self._name(tensor), shape_text(tensor.shape)
        return f"{name} {shape}" if name else self.words.unnamed.format(shape=shape)

    def _name(self, tensor: TensorRecord) -> str:
        made = (name for name, changed in self.run.changed.items() if changed == tensor.id)
        return next(made, "") or self.names.get(tensor.id, tensor.name)

    def _say(self, template: str, step: Step, **facts: object) -> str:
        return _GAP.sub("", template.format(op=spell(step), **facts))

    def _returned(self) -> ModuleCall | None:
        """Return the call of a module whose result the run names, where it does nothing else."""
        calls, runs = returned_calls(self.trace), self.trace.runs
        return next((call for place, call in calls.items() if runs[place] is self.run), None)

    def _called(self, call: ModuleCall) -> str:
        module = self.trace.modules[call.module]
        inside = [
            self.trace.modules[each.module].kind
            for each in self.trace.calls
            if each.parent == call.number
        ]
        template = self.words.through if 0 < len(inside) <= _NAMES + 1 else self.words.turned
        return template.format(
            op=module.name or module.path or module.kind,
            sources=self._named([each.tensor for each in call.operands]),
            results=self._named(call.results),
            modules=self.words.comma.join(inside),
        )

    def _walked(self, backward: Backward) -> str:
        roots = chain.from_iterable(backward.nodes[root].names for root in backward.roots)
        leaves = [self._leaf(each.tensor) for each in backward.accumulations]
        return self.words.backward.format(
            name=next(iter(roots), self.words.result), leaves=self._listed(leaves)
        )

    def _leaf(self, tensor: int) -> str:
        record = self.trace.tensor(tensor)
        if record.name:
            return record.name
        for node in chain.from_iterable(each.nodes for each in self.trace.backwards):
            if node.tensor == tensor and node.names:
                return node.names[0]
        return shape_text(record.shape)

    def _updated(self, step: Step, made: OptimizerStep) -> str:
        lr = str(made.settings.get("lr", "?"))
        return numbered(self.words.updated, len(made.updates), op=made.kind, lr=lr)

    def _listed(self, texts: Sequence[str]) -> str:
        """Return texts in a row; of many the first, and how many there are."""
        if len(texts) > _NAMES:
            return self.words.comma.join((*texts[: _NAMES - 1], f"… ({len(texts)})"))
        first = self.words.comma.join(texts[:-1])
        return self.words.also.join(filter(None, (first, *texts[-1:])))

    def _tensors(self, ids: Sequence[int | None]) -> list[TensorRecord]:
        return [self.trace.tensor(id) for id in ids if id is not None]


def _template(step: Step, before: Sequence[TensorRecord], after: TensorRecord, words: Words) -> str:
    op = bare_name(step.op)
    if not before:
        return words.made
    alone = before[0] if len(before) == 1 else None
    if step.written:
        return words.written
    if alone is None:
        return words.turned
    if alone.device != after.device:
        return words.sent
    if op in _CASTS and alone.dtype != after.dtype:
        return words.cast
    if op in _RESHAPES and (alone.numel, alone.dtype) == (after.numel, after.dtype):
        return words.moved
    if op == "unsqueeze":
        return words.added
    if op == "squeeze" and len(alone.shape) - len(after.shape) == 1:
        return words.removed
    return words.turned


def _difference(before: Sequence[TensorRecord], after: TensorRecord) -> tuple[str, str]:
    """Return what the devices, or else the types, of the first operand and the result are."""
    if not before or before[0].device == after.device:
        return (before[0].dtype if before else ""), after.dtype
    return before[0].device, after.device


def _shapes(tensors: Sequence[TensorRecord]) -> str:
    return ", ".join(shape_text(tensor.shape) for tensor in tensors)


def _names_before(trace: Trace, run: Run) -> dict[int, str]:
    """Return the names of the tensors that a run found, by their records."""
    if not run.steps:
        place = next((at for at, each in enumerate(trace.runs) if each is run), 0)
        held = State(trace, place - 1).tensors.items()
        # The names of the lines within the call are gone now.
        ordered = sorted(held, key=lambda each: each[0] not in run.changed)
        return {tensor: name for name, tensor in ordered}
    found = State(trace, trace.steps[run.steps[0]].run - 1).tensors
    return {tensor: name for name, tensor in found.items()}
