"""What data passes on its way through a module: calls of modules, and ops of the forward itself.

Read from the calls and steps of a trace, so any tree of modules has links (no Manim here).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torchreel.records import ModuleCall, ModuleRecord, Step, Trace
from torchreel.spelling import bare_name, brackets, spell

INPUT = -1
"""The place of what went into the module, as links count; further inputs have those before it."""


@dataclass(frozen=True)
class Link:
    """One link of a chain; ``call`` of a module, or ``step`` of the forward itself.

    ``weight`` is the largest parameter of the module (of all its tree, where the call stands for
    calls within), ``sources`` the links whose results go in (INPUT: the module's own operand,
    below it: a further one), ``result`` the tensor that comes out. ``name`` is what it is called in
    the forward. ``others`` are the further matrices of a module that does not call modules for them
    (the second of an LSTM's, an attention's projection). ``by_rows``: each row of the weight makes
    one feature.
    """

    name: str
    kind: str
    sources: tuple[int, ...]
    operands: tuple[int, ...]
    result: int
    call: int | None = None
    step: int | None = None
    module: int | None = None
    weight: int | None = None
    others: tuple[int, ...] = ()
    by_rows: bool = False
    folded: bool = False

    @property
    def has_parameters(self) -> bool:
        """Whether it is drawn as a funnel."""
        return self.weight is not None


@dataclass(frozen=True)
class Chain:
    """The links of one call, in the order in which they ran; ``inputs`` is what came from outside:
    the operands of the call, then what links found elsewhere."""

    call: int
    inputs: tuple[int, ...]
    links: tuple[Link, ...]

    @property
    def operand(self) -> int:
        """What went in first."""
        return self.inputs[0]

    def tensor_at(self, place: int) -> int:
        """Return the tensor of a place: what came out of a link, or an input."""
        return self.inputs[INPUT - place] if place < 0 else self.links[place].result

    @property
    def ends(self) -> tuple[int, ...]:
        """The links on whose results no other link works."""
        used = {source for link in self.links for source in link.sources}
        return tuple(place for place in range(len(self.links)) if place not in used)

    @property
    def skips(self) -> tuple[tuple[int, int], ...]:
        """Pairs of links (from, to) where data passes by the links between."""
        return tuple(
            (source, place)
            for place, link in enumerate(self.links)
            for source in link.sources
            if source != place - 1
        )


def chain_of(trace: Trace, call: ModuleCall, most: int) -> Chain:
    """Return the chain of a call: as deep into the tree as ``most`` links allow."""
    depth = 1
    links = _links(trace, call, depth)
    while any(link.folded for link in links):
        deeper = _links(trace, call, depth + 1)
        if len(deeper) > most:
            break
        links, depth = deeper, depth + 1
    return _connected(trace, call, links)


def _links(trace: Trace, call: ModuleCall, depth: int) -> list[Link]:
    """Return the links of a call, those of calls within down to ``depth`` levels."""
    children = [each for each in trace.calls if each.parent == call.number and each.results]
    steps = [
        step
        for step in trace.steps
        if step.call == call.number and step.results and _tensors(step) and not step.clash
    ]
    if not children:
        return [_of_call(trace, call, [])]
    timed: list[tuple[int, list[Link]]] = [(step.number, [_of_step(step)]) for step in steps]
    for child in children:
        within = [each for each in trace.calls if each.parent == child.number]
        links = (
            _links(trace, child, depth - 1)
            if within and depth > 1
            else [_of_call(trace, child, within)]
        )
        timed.append((child.first if child.first is not None else -1, links))
    return [link for _, links in sorted(timed, key=lambda each: each[0]) for link in links]


def _of_call(trace: Trace, call: ModuleCall, within: list[ModuleCall]) -> Link:
    module = trace.modules[call.module]
    weight = _weight(trace, call, whole=bool(within))
    others: tuple[int, ...] = ()
    if weight is not None and not within:
        weight, *rest = _side_by_side(trace, call, weight)
        others = tuple(rest)
    return Link(
        name=module.path.split(".")[-1] or module.name or module.kind,
        kind=module.kind,
        sources=(),
        operands=tuple(each.tensor for each in call.operands if each.tensor is not None),
        result=call.results[0],
        call=call.number,
        module=module.number,
        weight=weight,
        others=others,
        by_rows=module.kind == "Linear" and not others,
        folded=bool(within),
    )


def _of_step(step: Step) -> Link:
    return Link(
        name=brackets(step) or spell(step),
        kind=bare_name(step.op),
        sources=(),
        operands=_tensors(step),
        result=step.results[0],
        step=step.number,
    )


def _connected(trace: Trace, call: ModuleCall, links: list[Link]) -> Chain:
    """Tell each link whose results go in; a tensor that no link made is an input, where a link has
    no other."""
    inputs = [each.tensor for each in call.operands if each.tensor is not None]
    inputs = list(dict.fromkeys(inputs)) or [call.results[0]]
    made = {tensor: INPUT - place for place, tensor in enumerate(inputs)}
    connected = []
    for place, link in enumerate(links):
        sources = tuple(dict.fromkeys(made[each] for each in link.operands if each in made))
        if not sources and link.operands:
            sources = (INPUT - len(inputs),)
            inputs.append(link.operands[0])
            made[link.operands[0]] = sources[0]
        connected.append(replace(link, sources=sources or (place - 1,)))
        made |= dict.fromkeys(_results(trace, link), place)
    return Chain(call.number, tuple(inputs), tuple(connected))


def _results(trace: Trace, link: Link) -> tuple[int, ...]:
    if link.call is not None:
        return trace.calls[link.call].results
    return (link.result,) if link.step is None else trace.steps[link.step].results


def _weight(trace: Trace, call: ModuleCall, *, whole: bool) -> int | None:
    """Return the largest parameter that the call worked with, as it was then."""
    module = trace.modules[call.module]
    tree = [
        each for each in trace.modules if each is module or (whole and _inside(trace, each, module))
    ]
    own = [tensor for each in tree for tensor in each.parameters.values()]
    weight = max(own, key=lambda tensor: trace.tensor(tensor).numel, default=None)
    return None if weight is None else _then(trace, call, weight)


def _side_by_side(trace: Trace, call: ModuleCall, weight: int) -> list[int]:
    """Return the matrices that a call worked with itself, those of its tree included, in the order
    in which the modules have them; a weight that is no matrix is the first."""
    module = trace.modules[call.module]
    tree = [each for each in trace.modules if each is module or _inside(trace, each, module)]
    own = [tensor for each in tree for tensor in each.parameters.values()]
    matrices = [each for each in own if len(trace.tensor(each).shape) == 2]
    first = [] if len(trace.tensor(weight).shape) == 2 else [weight]
    return first + [_then(trace, call, each) for each in matrices]


def _then(trace: Trace, call: ModuleCall, parameter: int) -> int:
    """Return a parameter as it was when the call worked with it, where one of its ops tells."""
    name, shape = trace.tensor(parameter).name, trace.tensor(parameter).shape
    for step in trace.steps:
        if step.call == call.number:
            for tensor in _tensors(step):
                record = trace.tensor(tensor)
                if record.name == name and record.shape == shape and name:
                    return tensor
    return parameter


def _inside(trace: Trace, module: ModuleRecord, root: ModuleRecord) -> bool:
    parent = module.parent
    while parent is not None:
        if parent == root.number:
            return True
        parent = trace.modules[parent].parent
    return False


def _tensors(step: Step) -> tuple[int, ...]:
    return tuple(each.tensor for each in step.operands if each.tensor is not None)
