"""Backward passes in the trace, against PyTorch itself running the same lines untraced.

The oracle of a pass is taken just before its statement runs: the graph by a walk of ``grad_fn``,
the gradient at each node by ``torch.autograd.grad`` with respect to that node, and the gradient on
each edge by calling the node with what arrives at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge

from torchreel.records import Backward, GraphEdge, GraphNode, Step, Trace

Tracing = Callable[..., Trace]

PASSES = """\
import torch
import torch.nn.functional as F

torch.manual_seed(0)

# %% article
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = x * 3
z = y.sum()
z.backward()
print(x.grad)

# %% diamond
a = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64, requires_grad=True)
b = a.exp()
c = (b * b + b).sin()
d = (c * a).sum()
d.backward()

# %% accumulation
again = (x * x).sum()
again.backward(retain_graph=True)
again.backward()
x.grad.zero_()
third = (x * 2).prod()
torch.autograd.backward(third)
x.grad = None
weighted = x / 4
weighted.backward(torch.tensor([1.0, 10.0]))

# %% several
left, middle, right = (a * 1).unbind(0)
picked = left * 2 + right
picked.backward()
largest = (a * a).max(dim=0)
highest = largest.values
highest.backward()
joined = torch.cat([a, a[1:]]).logsumexp(0)
joined.backward()

# %% classes
torch.manual_seed(1)
w = torch.randn(4, 3, requires_grad=True)
bias = torch.zeros(4, requires_grad=True)
logits = F.linear(torch.randn(5, 3), w, bias)
loss = F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0]))
loss.backward()

# %% custom
class Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, given):
        ctx.save_for_backward(given)
        kept = given.clamp(min=0)
        return kept

    @staticmethod
    def backward(ctx, gradient):
        (given,) = ctx.saved_tensors
        return gradient * (given > 0) * 7

bent = Clamp.apply(w)
mean = (bent * bent).mean()
mean.backward()

# %% inplace
p = w * 2
p.add_(1)
q = p[0]
q.mul_(3)
p[1:, 0] = 0
r = p.tanh().sum()
r.backward()

# %% outside
with torch.no_grad():
    w -= 0.1 * w.grad
    hidden = w * 2
cut = (w * 3).detach()
free = (cut * w).sum()
free.backward()

# %% grad
outer = (a ** 3).sum()
(first,) = torch.autograd.grad(outer, a, create_graph=True)
second = first.sum()
second.backward()
inner = a * 5
product = (inner * a).sum()
both = torch.autograd.grad(product, [inner, a])

# %% shared
shared = torch.nn.Linear(3, 3)
state = shared(torch.ones(1, 3)).tanh()
state = state + shared(state)
energy = state.pow(2).sum()
energy.backward()

# %% recurrent
lstm = torch.nn.LSTM(2, 3, batch_first=True)
out, _ = lstm(torch.randn(1, 4, 2))
end = out[:, -1].sum()
end.backward()

# %% pictures
conv = torch.nn.Sequential(
    torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.BatchNorm2d(2), torch.nn.ReLU()
)
picture = torch.randn(2, 1, 4, 4)
maps = conv(picture)
res = (maps + picture).flatten(1).mean()
res.backward()
"""


@dataclass(frozen=True)
class Oracle:
    """A pass as untraced torch has it: nodes numbered breadth first from the root."""

    names: list[str]
    gradients: list[torch.Tensor | None]
    edges: dict[tuple[int, int], int]
    crossed: dict[tuple[int, int], torch.Tensor]
    ran: list[int]
    leaves: dict[int, torch.Tensor]


def walk(root: Any) -> tuple[list[Any], dict[tuple[int, int], int]]:
    nodes, edges = [root], {}
    for node in nodes:
        for index, (target, _) in enumerate(node.next_functions):
            if target is not None:
                if target not in nodes:
                    nodes.append(target)
                edges[nodes.index(node), index] = nodes.index(target)
    return nodes, edges


def oracle(root: torch.Tensor, gradient: torch.Tensor | None) -> Oracle:
    nodes, edges = walk(get_gradient_edge(root).node)
    arrived: list[tuple[torch.Tensor | None, ...]] = []
    for node in nodes:
        arrived.append(
            tuple(
                torch.autograd.grad(
                    root, GradientEdge(node, number), gradient, retain_graph=True, allow_unused=True
                )[0]
                for number in range(len(node._input_metadata))
            )
        )
    crossed: dict[tuple[int, int], torch.Tensor] = {}
    for number, node in enumerate(nodes):
        if type(node).__name__ == "AccumulateGrad":
            continue
        run = node if callable(node) else node.apply  # the script's own Function
        with torch.no_grad():
            onward = run(*arrived[number])
        onward = onward if isinstance(onward, tuple) else (onward,)
        for index, value in enumerate(onward):
            target, slot = node.next_functions[index]
            if value is not None and target is not None:
                # The engine sums over what was broadcast (the bias of addmm).
                crossed[number, index] = value.sum_to_size(target._input_metadata[slot].shape)
    return Oracle(
        names=[type(node).__name__ for node in nodes],
        gradients=[next((each for each in slots if each is not None), None) for slots in arrived],
        edges=edges,
        crossed=crossed,
        ran=list(order(nodes, root, gradient)),
        leaves={
            number: node.variable for number, node in enumerate(nodes) if hasattr(node, "variable")
        },
    )


def order(nodes: list[Any], root: torch.Tensor, gradient: torch.Tensor | None) -> Iterator[int]:
    """Run the pass, and undo what it does to the leaves."""
    ran: list[int] = []
    handles = [
        node.register_prehook(lambda _, number=number: ran.append(number))
        for number, node in enumerate(nodes)
    ]
    leaves = [node.variable for node in nodes if hasattr(node, "variable")]
    before = [None if leaf.grad is None else leaf.grad.clone() for leaf in leaves]
    torch.autograd.backward(root, gradient, retain_graph=True)
    for handle in handles:
        handle.remove()
    for leaf, old in zip(leaves, before, strict=True):
        leaf.grad = old
    return iter(ran)


def pass_of(text: str, scope: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Return the root and the gradient that a statement starts a pass with."""
    method = re.fullmatch(r"(\w+)\.backward\((.*)\)", text)
    if method:
        gradient = eval(method[2], scope) if method[2].startswith("torch") else None
        return scope[method[1]], gradient
    function = re.fullmatch(r"torch\.autograd\.backward\((\w+)\)", text)
    return (scope[function[1]], None) if function else None


@dataclass(frozen=True)
class Untraced:
    """The oracles by the text of their statements, and what the leaves' ``.grad`` were before and
    after; in the end the names."""

    oracles: list[tuple[str, Oracle]]
    grads: list[dict[int, tuple[torch.Tensor | None, torch.Tensor]]]
    scope: dict[str, Any]


@pytest.fixture(scope="module")
def passes(trace: Tracing) -> Trace:
    traced = trace(PASSES, "passes")
    assert traced.error is None
    return traced


@pytest.fixture(scope="module")
def untraced(passes: Trace) -> Untraced:
    scope: dict[str, Any] = {}
    exec(PASSES.partition("# %%")[0], scope)
    oracles, grads = [], []
    for cell in passes.cells:
        for statement in cell.statements:
            if statement.parent is not None:
                continue
            lines = cell.source.split("\n")[statement.lines[0] - 1 : statement.lines[1]]
            begun = pass_of(statement.text, scope)
            if begun is None:
                exec("\n".join(lines), scope)
                continue
            taken = oracle(*begun)
            oracles.append((statement.text, taken))
            before = {number: copied(leaf.grad) for number, leaf in taken.leaves.items()}
            exec(statement.text, scope)
            after = {number: copied(leaf.grad) for number, leaf in taken.leaves.items()}
            grads.append({number: (before[number], after[number]) for number in after})
    return Untraced(oracles, grads, scope)


def copied(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.clone()


def step_of(trace: Trace, backward: Backward) -> Step:
    return trace.steps[backward.step]


def by_name(trace: Trace, text: str) -> list[Backward]:
    return [each for each in trace.backwards if step_of(trace, each).expression == text]


def backwards(trace: Trace) -> list[Backward]:
    """Return the passes that are not ``torch.autograd.grad``'s."""
    return [each for each in trace.backwards if step_of(trace, each).op != "torch.autograd.grad"]


def breadth_first(backward: Backward) -> tuple[list[int], dict[tuple[int, int], GraphEdge]]:
    """Return the nodes' numbers in the oracle's order, and the edges by that order."""
    found = list(backward.roots)
    edges: dict[tuple[int, int], GraphEdge] = {}
    for source in found:
        onward = [edge for edge in backward.edges if edge.source == source]
        for edge in sorted(onward, key=lambda edge: edge.input):
            if edge.target not in found:
                found.append(edge.target)
            edges[found.index(source), edge.input] = edge
    return found, edges


def equal(trace: Trace, record: int | None, tensor: torch.Tensor | None) -> bool:
    """Tell whether a record holds the very bytes of a tensor."""
    if record is None or tensor is None:
        return record is None and tensor is None
    kept, array = trace.values[record], tensor.detach().numpy()
    return kept.dtype == array.dtype and kept.tobytes() == array.tobytes()


def test_the_graph_is_the_one_that_grad_fn_shows(passes: Trace, untraced: Untraced) -> None:
    recorded = backwards(passes)
    assert len(recorded) == len(untraced.oracles) == 17
    for backward, (text, true) in zip(recorded, untraced.oracles, strict=True):
        assert step_of(passes, backward).expression == text
        assert [node.number for node in backward.nodes] == list(range(len(backward.nodes)))
        nodes, edges = breadth_first(backward)
        assert [backward.nodes[number].name for number in nodes] == true.names, text
        assert {key: nodes.index(edge.target) for key, edge in edges.items()} == true.edges, text


def test_nodes_and_edges_come_in_the_order_in_which_autograd_ran(
    passes: Trace, untraced: Untraced
) -> None:
    for backward, (text, true) in zip(backwards(passes), untraced.oracles, strict=True):
        nodes, _ = breadth_first(backward)
        assert [nodes.index(node.number) for node in backward.nodes] == true.ran, text
        crossed = [edge.source for edge in backward.edges if edge.gradient is not None]
        assert crossed == sorted(crossed), text


def test_every_node_and_every_edge_has_its_gradient(passes: Trace, untraced: Untraced) -> None:
    seen = 0
    for backward, (text, true) in zip(backwards(passes), untraced.oracles, strict=True):
        nodes, edges = breadth_first(backward)
        for number, gradient in zip(nodes, true.gradients, strict=True):
            assert equal(passes, backward.nodes[number].gradient, gradient), text
            seen += 1
        for key, edge in edges.items():
            assert equal(passes, edge.gradient, true.crossed.get(key)), (text, key)
            seen += 1
    assert seen > 150


def test_what_is_accumulated_is_what_grad_was_and_is(passes: Trace, untraced: Untraced) -> None:
    for backward, true, grads in zip(
        backwards(passes), untraced.oracles, untraced.grads, strict=True
    ):
        nodes, _ = breadth_first(backward)
        numbers = {id(backward.nodes[number].tensor): number for number in nodes}
        assert len(numbers) > 0
        assert len(backward.accumulations) == len(grads), true[0]
        for number, (before, after) in grads.items():
            leaf = backward.nodes[nodes[number]]
            (made,) = [each for each in backward.accumulations if each.tensor == leaf.tensor]
            assert made.gradient == leaf.gradient
            assert equal(passes, made.before, before), true[0]
            assert equal(passes, made.after, after), true[0]


def test_the_articles_lines(passes: Trace) -> None:
    (backward,) = by_name(passes, "z.backward()")
    steps = [None if node.step is None else passes.steps[node.step] for node in backward.nodes]
    assert [(node.name, node.names) for node in backward.nodes] == [
        ("SumBackward0", ("z",)),
        ("MulBackward0", ("y",)),
        ("AccumulateGrad", ("x",)),
    ]
    assert [step and step.expression for step in steps] == ["y.sum()", "x * 3", None]
    names = passes.names_after("article")
    assert [node.tensor for node in backward.nodes] == [names["z"], names["y"], names["x"]]
    (made,) = backward.accumulations
    assert made.before is None
    assert passes.values[made.after].tolist() == [3.0, 3.0]
    (run,) = [run for run in passes.runs if run.printed]
    (read,) = [passes.steps[number] for number in run.steps]
    assert (read.op, read.results) == ("torch.Tensor.grad.__get__", (made.after,))


def test_in_a_diamond_two_edges_meet_and_their_sum_arrives(passes: Trace) -> None:
    (backward,) = by_name(passes, "d.backward()")
    (node,) = [node for node in backward.nodes if node.names == ("b",)]
    meeting = [edge for edge in backward.edges if edge.target == node.number]
    parts = [passes.values[edge.gradient or 0] for edge in meeting]
    assert len(parts) == 3
    assert node.gradient is not None
    assert passes.values[node.gradient] == pytest.approx(sum(parts))
    assert max(meeting, key=lambda edge: edge.source).source < node.number


def test_a_gradient_is_what_finite_differences_say(passes: Trace) -> None:
    """Of ``d`` in the cell ``diamond``, with respect to each element of ``a``."""
    (made,) = by_name(passes, "d.backward()")[0].accumulations
    a = passes.values[made.tensor]

    def d(values: Any) -> float:
        b = torch.from_numpy(values).exp()
        return float(((b * b + b).sin() * torch.from_numpy(values)).sum())

    for index in range(3):
        up, down = a.copy(), a.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        slope = (d(up) - d(down)) / 2e-6
        assert passes.values[made.gradient][index] == pytest.approx(slope, rel=1e-6)


def named(backward: Backward, name: str) -> GraphNode:
    (node,) = [node for node in backward.nodes if name in node.names]
    return node


def expressions(trace: Trace, backward: Backward) -> dict[str, list[str]]:
    """Return the names of the nodes by the text of the op that recorded them."""
    found: dict[str, list[str]] = {}
    for node in backward.nodes:
        if node.step is not None:
            found.setdefault(trace.steps[node.step].expression, []).append(node.name)
    return found


def test_every_node_knows_the_op_that_recorded_it(passes: Trace) -> None:
    for backward in passes.backwards:
        for node in backward.nodes:
            assert (node.step is None) == (node.name == "AccumulateGrad")
    (loss,) = by_name(passes, "loss.backward()")
    made = expressions(passes, loss)
    assert made["F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0]))"] == [
        "NllLossBackward0",
        "LogSoftmaxBackward0",
    ], "one op, two nodes"
    (mean,) = by_name(passes, "mean.backward()")
    assert expressions(passes, mean)["Clamp.apply(w)"] == ["ClampBackward"]
    (r,) = by_name(passes, "r.backward()")
    written = {"p.add_(1)", "q.mul_(3)", "p[1:, 0] = 0"}
    assert written < set(expressions(passes, r))
    (second,) = by_name(passes, "second.backward()")
    text = "torch.autograd.grad(outer, a, create_graph=True)"
    assert len(expressions(passes, second)[text]) > 2, "a pass that records a graph itself"


def test_a_function_of_the_scripts_own_is_a_step(passes: Trace) -> None:
    (step,) = [step for step in passes.steps if step.op == "Clamp.apply"]
    names = passes.names_after("custom")
    assert step.expression == "Clamp.apply(w)"
    assert [operand.tensor for operand in step.operands] == [names["w"]]
    assert step.results == (names["bent"],)
    (inner,) = [each for each in passes.steps if each.expression == "given.clamp(min=0)"]
    assert inner.number == step.number - 1, "what its forward() does comes before it has ended"


def test_names_are_of_what_the_names_hold_now(passes: Trace) -> None:
    """``p`` was written in place: the node of ``w * 2`` is no longer ``p``'s."""
    (backward,) = by_name(passes, "r.backward()")
    node = named(backward, "p")
    assert node.step is not None
    assert passes.steps[node.step].expression == "p[1:, 0] = 0"
    assert node.tensor == passes.names_after("inplace")["p"]


def test_what_is_cut_is_not_in_the_graph(passes: Trace) -> None:
    (backward,) = by_name(passes, "free.backward()")
    assert [node.name for node in backward.nodes] == [
        "SumBackward0",
        "MulBackward0",
        "AccumulateGrad",
    ]
    assert not passes.tensor(passes.names_after("outside")["hidden"]).requires_grad


def test_autograd_grad_ends_at_its_inputs_and_leaves_grad_alone(
    passes: Trace, untraced: Untraced
) -> None:
    text = "torch.autograd.grad(product, [inner, a])"
    (backward,) = by_name(passes, text)
    assert backward.accumulations == ()
    step = step_of(passes, backward)
    assert step.results == (named(backward, "inner").gradient, named(backward, "a").gradient)
    for record, true in zip(step.results, untraced.scope["both"], strict=True):
        assert equal(passes, record, true)


def test_the_script_ends_as_without_the_tracer(passes: Trace, untraced: Untraced) -> None:
    names = passes.names_after("pictures")
    held = {key: each for key, each in untraced.scope.items() if isinstance(each, torch.Tensor)}
    assert set(names) == set(held)
    for name, tensor in held.items():
        assert equal(passes, names[name], tensor), name


CAREFUL = """
import gc
import weakref
import torch
from torch.utils.checkpoint import checkpoint

heard = []
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
h = x * 2
h.register_hook(lambda gradient: gradient * 10)
h.retain_grad()
h.grad_fn.register_hook(lambda *_: heard.append("node"))
x.register_hook(lambda _: heard.append("leaf"))
x.register_post_accumulate_grad_hook(lambda _: heard.append("accumulated"))
k = (h * h).sum()
k.backward()
print(heard, h.grad.tolist(), x.grad.tolist())
w = torch.ones(3, 3, requires_grad=True)
for again in (True, False):
    (checkpoint(lambda t: (t @ w).tanh(), x, use_reentrant=again)).sum().backward()
print(torch.func.grad(lambda t: (t ** 2).sum())(torch.ones(2)).tolist())
print(torch.func.vmap(torch.func.grad(lambda t: t ** 2))(torch.ones(2)).tolist())
print(torch.func.jacrev(lambda t: t ** 2)(torch.ones(2)).tolist())
print(torch.autograd.functional.hessian(lambda t: (t ** 3).sum(), torch.ones(2)).tolist())
print(torch.autograd.grad(x * 2, x, torch.eye(3), is_grads_batched=True)[0].tolist())
for wrong in (torch.ones(2), x * 2, k):
    try:
        wrong.backward()
    except RuntimeError as error:
        print(str(error)[:30])
m = (x * 4).exp()
m.sum().backward()
gone = weakref.ref(m), weakref.ref(k)
del m, k, h
gc.collect()
print([each() is None for each in gone])
taken = torch.ones(2, requires_grad=True)

def take(leaf):
    leaf.grad.zero_()

taken.register_post_accumulate_grad_hook(take)
(taken * 2).sum().backward()
print(x._backward_hooks is not None, w._backward_hooks, torch.rand(1).item() == torch.rand(1))
"""


def test_hooks_checkpoints_and_transforms_work_as_ever(
    trace: Tracing, capsys: pytest.CaptureFixture[str]
) -> None:
    traced = trace(CAREFUL)
    assert traced.error is None
    exec(CAREFUL, {"__name__": "__main__"})
    assert "".join(run.printed for run in traced.runs) == capsys.readouterr().out
    (backward,) = by_name(traced, "k.backward()")
    h, x = named(backward, "h"), named(backward, "x")
    assert h.gradient is not None
    assert traced.values[h.gradient].tolist() == [40.0, 80.0, 120.0], "after the script's hook"
    assert [made.tensor for made in backward.accumulations] == [h.tensor, x.tensor]
    (taken,) = by_name(traced, "(taken * 2).sum().backward()")
    assert taken.accumulations == (), "0 and 2 are not 0: the hook did more than to add"


CELLS = """
import torch

# %% forward
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = x * 3
z = y.sum()

# %% backward
z.backward()
print(x.grad)
"""


def test_a_cell_whose_graph_was_recorded_in_another(trace: Tracing) -> None:
    whole = trace(CELLS)
    assert whole.of_cell("forward").backwards == ()
    cell = whole.of_cell("backward")
    (backward,) = cell.backwards
    assert cell.steps[backward.step].expression == "z.backward()"
    assert [(node.name, node.names, node.step) for node in backward.nodes] == [
        ("SumBackward0", ("z",), None),
        ("MulBackward0", ("y",), None),
        ("AccumulateGrad", ("x",), None),
    ]
    tensors = [
        cell.values[node.tensor].tolist() for node in backward.nodes if node.tensor is not None
    ]
    assert tensors == [15.0, [6.0, 9.0], [2.0, 3.0]]
    gradients = [
        cell.values[node.gradient].tolist() for node in backward.nodes if node.gradient is not None
    ]
    assert gradients == [1.0, [1.0, 1.0], [3.0, 3.0]]
    assert backward.nodes[0].tensor == cell.names["z"]
    assert backward.nodes[2].tensor == backward.accumulations[0].tensor
