"""What the trace says of where elements went, against PyTorch itself running the ops untraced.

Every case is a line of one script that is traced once. A picture drawn from a wrong map would be
plausible and false, so the oracles know nothing of how the tracer measures: moves are the op run on
element numbers, derivatives are autograd's Jacobian and central differences, and which elements
feed which is written down for each family of ops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torchreel.records import Provenance, Step, Trace

SETUP = """\
import copy
import math
import torch
import torch.nn.functional as F

torch.manual_seed(7)
a = torch.tensor([[0.5, -1.5, 2.0, 3.25], [1.0, 2.5, -0.75, 4.0], [-2.0, 0.25, 1.75, -3.0]])
b = torch.tensor([[1.5, 2.0, -0.5, 0.75], [-1.0, 0.5, 3.0, 1.25], [2.25, -2.5, 0.5, 1.0]])
v = torch.tensor([3.0, -1.0, 2.0, 0.5])
w = torch.tensor([0.75, 1.25, -0.5])
column = torch.tensor([[2.0], [-1.0], [0.5]])
turned = torch.tensor([[1.0, 4.0], [-2.0, 5.0], [3.0, 6.5]]).T
wide = column.expand(3, 4)
cube = torch.linspace(-1, 1, 24).reshape(2, 3, 4)
image = torch.linspace(-2, 3, 25).reshape(1, 1, 5, 5)
kernel = torch.tensor([[[[1.0, -1.0], [0.5, 2.0]]]])
signal = torch.linspace(-1, 2, 7).reshape(1, 1, 7)
filter = torch.tensor([[[0.5, -1.0, 2.0]]])
short = b[:2].clone()
slim = b[:, :2].clone()
tall = torch.linspace(2, -1, 24).reshape(2, 4, 3)
patches = torch.linspace(-1, 2, 24).reshape(1, 4, 6)
probability = torch.tensor([0.25, 0.5, 0.999])
square = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
two = torch.tensor(2.0)
kinks = torch.tensor([-1.0, 0.0, 2.0, -0.0])
ties = torch.tensor([1.0, 3.0, 3.0, -2.0])
odd = torch.tensor([1.0, math.nan, math.inf, -math.inf, -0.0, 0.0])
sure = odd > 0
half = torch.tensor([1.5, -2.0, 0.25], dtype=torch.float16)
brain = torch.tensor([1.5, -2.0, 0.25], dtype=torch.bfloat16)
z = torch.tensor([1 + 2j, 3 - 1j, -0.5j])
n = torch.arange(12)
m = torch.tensor([[3, 1, 2], [0, 5, 4]])
whole = torch.arange(3)
above = n > 4
high = m > 2
same = torch.ones(2, 3, dtype=torch.int64)
byte = torch.tensor([1, 2, 200], dtype=torch.uint8)
mask = torch.tensor([True, False, True, True])
mask2 = torch.tensor([False, False, True, True])
grid = torch.tensor([[True, False, True, False], [False, True, True, False],
                     [True, True, False, False]])
rows = torch.tensor([2, 0, 2])
columns = torch.tensor([1, 3, 1])
picks = torch.tensor([[0, 1], [2, 0], [1, 1]])
targets = torch.tensor([1, 3, 0])
one = torch.tensor(1)
nothing = torch.zeros(0, 3)
number = torch.tensor(3.5)
leaf = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
mean = torch.zeros(4)
variance = torch.ones(4)
"""

PLAIN: dict[str, Any] = {}
exec(SETUP, PLAIN)


@dataclass(frozen=True)
class Case:
    """A line of the script; ``names`` maps the tensors that may be sources to their positions among
    the step's operands, ``feeds`` says which elements feed which (None: the op moves)."""

    line: str
    names: dict[str, int]
    feeds: str | Callable[..., NDArray[np.bool_]] | None = None
    result: int = 0


def moves(line: str, result: int = 0, **names: int) -> Case:
    return Case(line, names or {"a": 0}, None, result)


def feeds(
    line: str, pattern: str | Callable[..., NDArray[np.bool_]], result: int = 0, **names: int
) -> Case:
    return Case(line, names or {"a": 0}, pattern, result)


MOVES = [
    moves("n.reshape(3, 4)", n=0),
    moves("a.reshape(2, 6)"),
    moves("a.view(4, 3)"),
    moves("a.T"),
    moves("a.mT"),
    moves("cube.permute(2, 0, 1)", cube=0),
    moves("cube.transpose(0, 2)", cube=0),
    moves("cube.movedim(0, -1)", cube=0),
    moves("cube.flatten(1)", cube=0),
    moves("n.unflatten(0, (2, 6))", n=0),
    moves("torch.flatten(turned)", turned=0),
    moves("a.unsqueeze(1)"),
    moves("image.squeeze()", image=0),
    moves("a.contiguous()"),
    moves("turned.contiguous()", turned=0),
    moves("a.clone()"),
    moves("leaf.detach()", leaf=0),
    moves("leaf.data", leaf=0),
    moves("turned.reshape(6)", turned=0),
    moves("a.to(torch.float32)"),
    moves("a.cpu()"),
    moves("number.view(1, 1)", number=0),
    moves("nothing.reshape(3, 0)", nothing=0),
    moves("signal.unfold(2, 3, 2)", signal=0),
    moves("F.unfold(image, 2)", image=0),
    moves("torch.as_strided(a, (2, 3), (1, 4))"),
    moves("turned.as_strided((3, 2), (2, 1))", turned=0),
    moves("a[1]"),
    moves("a[1:, ::2]"),
    moves("a[-1, None]"),
    moves("a[..., 2]"),
    moves("a[[2, 0]]"),
    moves("a[rows]"),
    moves("a[rows, columns]"),
    moves("a[:, mask]"),
    moves("a[grid]"),
    moves("n[rows]", n=0),
    moves("n[above]", n=0),
    moves("a[one]"),
    moves("mask[rows]", mask=0),
    moves("a.gather(1, picks)"),
    moves("m.gather(0, picks[:2] % 2)", m=0),
    moves("a.index_select(0, rows)"),
    moves("torch.take(a, rows)"),
    moves("torch.take_along_dim(a, picks, 1)"),
    moves("a.masked_select(grid)"),
    moves("F.embedding(rows, a)", a=1),
    moves("a.scatter(1, picks, -1.0)"),
    moves("a.scatter(1, picks[:, :1], b)", a=0, b=3),
    moves("a.index_copy(0, rows[:2], short)", a=0, short=3),
    moves("a.index_fill(1, columns, 7.0)"),
    moves("a.masked_fill(grid, 0.0)"),
    moves("a.masked_fill(grid, -math.inf)"),
    moves("a.masked_fill(grid, number)", a=0, number=2),
    moves("a.put(rows, w)", a=0, w=2),
    moves("torch.where(grid, a, b)", a=1, b=2),
    moves("torch.where(grid, a, 0.0)", a=1),
    moves("a.where(grid, v)", a=0, v=2),
    moves("m.where(high, same)", m=0, same=2),
    moves("torch.cat([a, b], dim=1)", a=0, b=1),
    moves("torch.cat([a, column], dim=1)", a=0, column=1),
    moves("torch.stack((v, kinks), dim=1)", v=0, kinks=1),
    moves("torch.hstack([column, a])", column=0, a=1),
    moves("torch.vstack([v, a])", v=0, a=1),
    moves("torch.cat([n, whole])", n=0, whole=1),
    moves("a.split(2, dim=1)", result=1),
    moves("a.chunk(2)", result=1),
    moves("a.unbind(1)", result=3),
    moves("torch.tensor_split(a, 3, dim=1)", result=2),
    moves("a.roll(1, 0)"),
    moves("a.roll((1, 2), (0, 1))"),
    moves("a.flip(0, 1)"),
    moves("torch.rot90(a)"),
    moves("torch.tril(a)"),
    moves("a.triu(1)"),
    moves("m.tril()", m=0),
    moves("grid.tril()", grid=0),
    moves("a.diagonal()"),
    moves("torch.diag(v)", v=0),
    moves("torch.diag(a)"),
    moves("torch.diag_embed(a)"),
    moves("column.expand(3, 4)", column=0),
    moves("v.broadcast_to(2, 4)", v=0),
    moves("v.repeat(2, 3)", v=0),
    moves("v.repeat_interleave(2)", v=0),
    moves("w.repeat_interleave(rows)", w=0),
    moves("torch.tile(v, (2,))", v=0),
    moves("F.pad(a, (1, 0, 0, 2))"),
    moves("F.pad(a, (1, 1), value=9.0)"),
    moves("F.pad(image, (1, 1, 1, 1), mode='reflect')", image=0),
    moves("F.pad(signal, (2, 2), mode='replicate')", signal=0),
    moves("F.pixel_shuffle(cube.reshape(1, 4, 2, 3), 2)", cube=0),
    moves("torch.meshgrid(v, w, indexing='ij')", v=0, w=1),
    moves("torch.meshgrid(v, w, indexing='ij')", result=1, v=0, w=1),
    moves("F.interpolate(image, scale_factor=2)", image=0),
    moves("wide.reshape(12)", wide=0),
    moves("wide.clone()", wide=0),
    moves("F.dropout(a, 0.5, training=False)"),
    moves("half.reshape(3, 1)", half=0),
    moves("brain.flip(0)", brain=0),
    moves("z.reshape(3, 1)", z=0),
    moves("z.flip(0)", z=0),
    moves("byte.flip(0)", byte=0),
    moves("same.T", same=0),
    moves("mask.flip(0)", mask=0),
    moves("odd.flip(0)", odd=0),
    moves("odd.masked_fill(sure, 0.0)", odd=0),
    moves("leaf.T", leaf=0),
    moves("torch.nn.Parameter(a).view(12)", a=0),
    moves("copy.deepcopy(turned)", turned=0),
    moves("torch.atleast_2d(v)", v=0),
    moves("torch.swapaxes(a, 0, 1)"),
    moves("torch.narrow(a, 1, 1, 2)"),
    moves("torch.block_diag(v, column)", v=0, column=1),
    moves("torch.Tensor.T.__get__(a)"),
    moves("torch.combinations(v)", v=0),
    moves("torch.cartesian_prod(v, w)", v=0, w=1),
    moves("torch.flip(input=a, dims=[0])"),
    moves("torch.empty_like(a).copy_(a)", a=1),
]


def each(out: torch.Tensor, operand: torch.Tensor) -> NDArray[np.bool_]:
    """Element by element, broadcast."""
    number = torch.arange(operand.numel()).reshape(operand.shape).broadcast_to(out.shape)
    return np.asarray(number.reshape(-1, 1) == torch.arange(operand.numel()))


def everything(out: torch.Tensor, operand: torch.Tensor) -> NDArray[np.bool_]:
    return np.ones((out.numel(), operand.numel()), bool)


def over(dim: int) -> Callable[[torch.Tensor, torch.Tensor], NDArray[np.bool_]]:
    """A dimension is squashed, or its elements depend on each other."""

    def pattern(out: torch.Tensor, operand: torch.Tensor) -> NDArray[np.bool_]:
        lines = torch.arange(operand.numel() // operand.shape[dim])
        shape = [1 if i == dim % operand.dim() else s for i, s in enumerate(operand.shape)]
        line = lines.reshape(shape)
        mine = line.expand(operand.shape).reshape(-1)
        result = line.expand(operand.shape) if out.shape == operand.shape else line
        return np.asarray(result.reshape(-1, 1) == mine)

    return pattern


def before(out: torch.Tensor, operand: torch.Tensor) -> NDArray[np.bool_]:
    """Along the last dimension, those before and itself (cumulative ops)."""
    place = torch.arange(operand.shape[-1]).expand(operand.shape).reshape(-1)
    return np.asarray(over(-1)(out, operand) & np.asarray(place.reshape(-1, 1) >= place))


def window(out: torch.Tensor, operand: torch.Tensor) -> NDArray[np.bool_]:
    """max_pool1d(3, 2): windows of 3, two apart."""
    start = 2 * np.arange(out.numel()).reshape(-1, 1)
    place = np.arange(operand.numel())
    return np.asarray((place >= start) & (place < start + 3))


FEEDS = [
    # element by element
    feeds("torch.relu(a)", each),
    feeds("kinks.relu()", each, kinks=0),
    feeds("F.leaky_relu(a, 0.1)", each),
    feeds("F.gelu(a)", each),
    feeds("F.silu(a)", each),
    feeds("a.sigmoid()", each),
    feeds("torch.tanh(a)", each),
    feeds("kinks.abs()", each, kinks=0),
    feeds("-a", each),
    feeds("a.exp()", each),
    feeds("probability.log()", each, probability=0),
    feeds("probability.sqrt()", each, probability=0),
    feeds("probability.asin()", each, probability=0),
    feeds("two ** 2", each, two=0),
    feeds("a ** 2", each),
    feeds("a.square()", each),
    feeds("a.sin()", each),
    feeds("a.floor()", each),
    feeds("a.round()", each),
    feeds("a.sign()", each),
    feeds("a.trunc()", each),
    feeds("a.clamp(-1, 2)", each),
    feeds("a.clamp(1000, 2000)", each),
    feeds("a.clamp(min=1e6)", each),
    feeds("F.hardtanh(a)", each),
    feeds("a.nan_to_num()", each),
    feeds("odd.nan_to_num()", each, odd=0),
    feeds("a + 1", each),
    feeds("a + b", each, a=0, b=1),
    feeds("a - v", each, a=0, v=1),
    feeds("column + v", each, column=0, v=1),
    feeds("a * b", each, a=0, b=1),
    feeds("a / b", each, a=0, b=1),
    feeds("a + a", each, a=0),
    feeds("a % 2", each),
    feeds("a.fmod(b)", each, a=0, b=1),
    feeds("a.remainder(b)", each, a=0, b=1),
    feeds("torch.maximum(a, b)", each, a=0, b=1),
    feeds("torch.minimum(ties, kinks)", each, ties=0, kinks=1),
    feeds("torch.lerp(a, b, 0.25)", each, a=0, b=1),
    feeds("torch.addcmul(a, b, b)", each, a=0),
    feeds("torch.copysign(a, b)", each, a=0, b=1),
    feeds("torch.atan2(a, b)", each, a=0, b=1),
    feeds("a.double()", each),
    feeds("a.half()", each),
    feeds("a.bfloat16()", each),
    feeds("half + 1", each, half=0),
    feeds("brain * 3", each, brain=0),
    feeds("wide * 2", each, wide=0),
    feeds("turned + turned", each, turned=0),
    feeds("odd * 2", each, odd=0),
    feeds("a.mul(number)", each, a=0, number=1),
    feeds("F.prelu(a, number.reshape(1))", each, a=0),
    # a dimension squashed, or mixed along
    feeds("a.sum()", everything),
    feeds("a.sum(dim=1)", over(1)),
    feeds("a.sum(0, keepdim=True)", over(0)),
    feeds("a.mean()", everything),
    feeds("a.mean(dim=0)", over(0)),
    feeds("a.var(dim=1)", over(1)),
    feeds("a.std()", everything),
    feeds("a.prod(dim=1)", over(1)),
    feeds("kinks.prod()", everything, kinks=0),
    feeds("a.amin(dim=1)", over(1)),
    feeds("a.amax(0)", over(0)),
    feeds("ties.amax()", everything, ties=0),
    feeds("ties.max()", everything, ties=0),
    feeds("a.max(dim=1)", over(1)),
    feeds("a.min(dim=0)", over(0)),
    feeds("a.median(dim=1)", over(1)),
    feeds("a.norm()", everything),
    feeds("torch.linalg.norm(a, dim=1)", over(1)),
    feeds("a.logsumexp(1)", over(1)),
    feeds("a.softmax(dim=1)", over(1)),
    feeds("F.softmax(a, dim=0)", over(0)),
    feeds("a.log_softmax(1)", over(1)),
    feeds("F.normalize(a, dim=1)", over(1)),
    feeds("F.layer_norm(a, (4,))", over(1)),
    feeds("a.sort(dim=1)", over(1)),
    feeds("a.sort(dim=1, descending=True)", over(1)),
    feeds("torch.topk(a, 4, dim=1)", over(1)),
    feeds("a.cumsum(1)", before),
    feeds("a.cumprod(1)", before),
    feeds("a.cummax(1)", before),
    feeds("torch.quantile(a, 0.5, dim=1)", over(1)),
    # products
    feeds("a @ b.T", "jacobian", a=0),
    feeds("torch.matmul(a, v)", "jacobian", a=0, v=1),
    feeds("torch.mm(square, turned)", "jacobian", square=0, turned=1),
    feeds("torch.bmm(cube, tall)", "jacobian", cube=0, tall=1),
    feeds("torch.einsum('ij,kj->ik', a, b)", "jacobian", a=1, b=2),
    feeds("torch.addmm(wide[:, :3], a, tall[0])", "jacobian", a=1),
    feeds("F.linear(a, b, w)", "jacobian", a=0, b=1, w=2),
    feeds("torch.dot(v, ties)", everything, v=0, ties=1),
    feeds("torch.outer(v, w)", "jacobian", v=0, w=1),
    feeds("torch.kron(square, square)", "jacobian", square=0),
    feeds("torch.cdist(a, b)", "jacobian", a=0, b=1),
    feeds("torch.linalg.inv(square)", everything, square=0),
    feeds("torch.trace(square)", "jacobian", square=0),
    # convolution and pooling
    feeds("F.conv1d(signal, filter)", "jacobian", signal=0, filter=1),
    feeds("F.conv1d(signal, filter, padding=1, stride=2)", "jacobian", signal=0, filter=1),
    feeds("F.conv2d(image, kernel)", "jacobian", image=0, kernel=1),
    feeds("F.conv_transpose1d(signal, filter)", "jacobian", signal=0, filter=1),
    feeds("F.avg_pool2d(image, 2)", "jacobian", image=0),
    feeds("F.max_pool1d(signal, 3, 2)", window, signal=0),
    feeds("F.adaptive_avg_pool2d(image, 2)", "jacobian", image=0),
    feeds("F.fold(patches, (3, 4), 2)", "jacobian", patches=0),
    # losses
    feeds("F.mse_loss(a, b)", everything, a=0, b=1),
    feeds("F.l1_loss(a, b, reduction='none')", each, a=0, b=1),
    feeds("F.smooth_l1_loss(a, b, reduction='none')", each, a=0, b=1),
    feeds("F.binary_cross_entropy_with_logits(a, b)", everything, a=0, b=1),
    feeds("F.cross_entropy(a, targets)", everything, a=0),
    feeds("F.cross_entropy(a, targets, reduction='none')", over(1), a=0),
    feeds("F.nll_loss(a, targets)", "jacobian", a=0),
    # normalization
    feeds("F.batch_norm(a, mean.clone(), variance.clone(), training=True)", over(0)),
    feeds("F.batch_norm(a, mean, variance)", each, a=0),
    # indices that add up
    feeds("a.scatter_add(1, picks, slim)", "jacobian", a=0, slim=3),
    feeds("a.index_add(0, rows, b)", "jacobian", a=0, b=3),
    feeds("leaf * 3", each, leaf=0),
    feeds("leaf.exp()", each, leaf=0),
]


WRITES = """\
c1 = a.clone()
c1.add_(b)
c2 = a.clone()
c2 *= c2
c3 = a.clone()
c3[1:, 0] = w[:2]
c4 = n.clone()
c4[2:5] = 7
c5 = a.clone()
c5.relu_()
c6 = a.clone()
part = c6[0]
part.mul_(10)
c7 = torch.empty(3, 4)
torch.mul(a, b, out=c7)
c8 = a.clone()
c8.copy_(b)
c9 = a.clone()
c9.zero_()
c10 = a.clone()
c10.t_()
c11 = a.clone()
c11.masked_fill_(grid, 0.0)
c12 = a.clone()
c12[grid] = 5.0
c13 = a.clone()
c13.clamp_(min=0)
c14 = v.clone()
c14[1:] = c14[:-1].clone()
c15 = a.clone()
c15.index_add_(0, rows, b)
c16 = torch.empty(12)
torch.cat([a.flatten()], out=c16)
c17 = leaf.clone()
c17.mul_(leaf)
c18 = a.clone()
c18.pow_(2)
"""

OTHERS = """\
class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class Named(torch.Tensor):
    pass


train = F.dropout(a, 0.5, training=True)
noise = torch.rand_like(a)
coins = torch.bernoulli(torch.full((3,), 0.5))
drawn = torch.multinomial(v.abs(), 2)
generator = torch.Generator().manual_seed(3)
own = torch.normal(v, 1.0, generator=generator)
uniform = torch.zeros(3).uniform_()
filled = torch.nn.init.normal_(torch.zeros(3))
distinct = torch.unique(ties)
factors = torch.linalg.lu_factor_ex(square)
places = torch.nonzero(kinks)
size = torch.randn(40, 40).sum()
named = v.as_subclass(Named) + 1
sparse = torch.eye(3).to_sparse() * 2
meta = torch.ones(2, device="meta") + 1
raw = torch.empty(3) + 1
largest = a.argmax(dim=1)
order = a.argsort(dim=1)
positive = a > 0
five = n == 5
hundred = n == 100
never = a > 1e30
both = mask & mask2
neither = ~mask
longs = a.long()
whole_parts = a // 1
floats = n.float()
doubled = n * 2
total = n.sum()
counted = torch.count_nonzero(n)
every = mask.all()
some = mask.any()
hot = F.one_hot(targets, 5)
hotter = F.one_hot(targets)
binned = torch.bincount(targets)
nans = odd.isnan()
close = torch.isclose(a, b)
turned_int = torch.searchsorted(torch.tensor([1.0, 2.0, 3.0]), v)
mapped = torch.vmap(lambda row: row * 2)(a)
gradient = torch.func.grad(lambda row: (row ** 2).sum())(v)
with torch.inference_mode():
    inference = v * 2
    inferred = inference.reshape(2, 2)
    inferred_more = inference.exp()
with torch.no_grad():
    ungraded = leaf * 2
function = Doubled.apply(leaf)
complexes = z * 2
lengths = z.abs()
shrunk = F.hardshrink(two)
positive_only = F.relu(two)
thresholded = F.threshold(two, 0.1, 0.0)
ones = same[:1, :1].expand(2, 3)
by_ones = m * ones
by_mask = m * high
by_unit = m @ torch.eye(3, dtype=torch.int64)
histogram = torch.histc(a, 4)
zeros = torch.zeros_like(a)
nearly = a * 0
joined = torch.cat([whole, w])
told = torch.cat([sure, v])
longer = torch.cat([w, w.double()])
filled_in = torch.zeros(2, 3)
filled_in[0] = whole
by_one = a * 1
count_once = n * 1
to_the_first = a ** 1
mean_of_one = v[:1].mean()
sum_over_one = v[:1].sum(0)
running_sum = v[:1].cumsum(0)
created = torch.ones(3)
attention = F.scaled_dot_product_attention(cube, cube, cube)
leaf.sum().backward()
slope = leaf.grad
looped = a
for lap in range(5):
    looped = looped * 2
"""


def script() -> str:
    lines = [f"r{i} = {case.line}" for i, case in enumerate(MOVES + FEEDS)]
    cells = ["# %% cases", *lines, "# %% writes", WRITES, "# %% others", OTHERS]
    return SETUP + "\n".join(cells)


@pytest.fixture(scope="module")
def traced(trace: Any) -> Trace:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # idle threads that spin make it slow
        made: Trace = trace(script(), "provenance")
    assert made.error is None, made.error
    return made


def last_step(trace: Trace, cell: str, text: str) -> Step:
    """Return the last step with results of the statement with this text."""
    (number,) = [s.number for s in trace.cell(cell).statements if s.text == text]
    steps = [s for run in trace.runs for s in run.steps if _is(run, cell, number)]
    return trace.steps[steps[-1]]


def _is(run: Any, cell: str, number: int) -> bool:
    return bool(run.cell == cell and run.statement == number)


def provenance(step: Step, result: int = 0) -> Provenance:
    (found,) = [each for each in step.provenance if each.result == result]
    return found


def numbered(tensor: torch.Tensor, operand: int) -> torch.Tensor:
    """Return element numbers of a tensor's shape, those of each operand in their own thousand."""
    first = 1000 * (operand + 1)
    numbers = torch.arange(first, first + tensor.numel())
    numbers = numbers.reshape(tensor.shape)
    dense = tensor.is_contiguous() or 0 in tensor.stride()
    if not dense:
        numbers = torch.empty_strided(tensor.shape, tensor.stride(), dtype=torch.int64).copy_(
            numbers
        )
    floating = tensor.is_floating_point() or tensor.is_complex()
    return numbers.to(torch.float64) if floating else numbers


def origins(out: torch.Tensor) -> NDArray[np.int64]:
    """Read element numbers back as operand and place; -1 for what came from no operand."""
    numbers = np.asarray(out.detach().reshape(-1).to(torch.float64))
    numbers = np.where(np.isfinite(numbers), numbers, 0).astype(np.int64)
    known = numbers >= 1000
    return np.stack(
        [np.where(known, numbers // 1000 - 1, -1), np.where(known, numbers % 1000, -1)], 1
    )


def result_of(value: Any, result: int) -> torch.Tensor:
    found: torch.Tensor = value if isinstance(value, torch.Tensor) else value[result]
    return found


@pytest.mark.parametrize("case", MOVES, ids=lambda case: case.line)
def test_what_only_moves_says_exactly_from_where(case: Case, traced: Trace) -> None:
    step = last_step(traced, "cases", f"r{MOVES.index(case)} = {case.line}")
    found = provenance(step, case.result)
    assert found.kind == "moves", found
    sources = {name: numbered(PLAIN[name], at) for name, at in case.names.items()}
    expected = origins(result_of(eval(case.line, {**PLAIN, **sources}), case.result))
    assert traced.moves(step.number, case.result) is not None
    assert np.array_equal(traced.arrays[found.array or ""], expected)
    check_values(traced, step, case.result)


def check_values(trace: Trace, step: Step, result: int) -> None:
    """Gather the result from the operands' values by the map: it must be what torch made."""
    made = trace.tensor(step.results[result])
    width = 2 if made.dtype.startswith("complex") else 1
    out = trace.values[made.id].reshape(made.numel, width)
    moved = trace.moves(step.number, result)
    assert moved is not None
    for place, (operand, source) in enumerate(moved):
        if operand >= 0:
            tensor = step.operands[operand].tensor
            assert tensor is not None
            values = trace.values[tensor].reshape(trace.tensor(tensor).numel, out.shape[1])
            assert values[source].tobytes() == out[place].tobytes()


DOUBLE: dict[str, Any] = {
    name: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
    for name, value in PLAIN.items()
}


def jacobian(line: str, names: list[str], result: int, **at: torch.Tensor) -> list[torch.Tensor]:
    """Return autograd's Jacobian of an expression: (elements of the result, of the operand)."""

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        return result_of(eval(line, {**DOUBLE, **dict(zip(names, tensors, strict=True))}), result)

    points = tuple(at.get(name, DOUBLE[name]).detach() for name in names)
    found: Any = torch.autograd.functional.jacobian(run, points)  # type: ignore[no-untyped-call]
    out = run(*points).numel()
    return [each.reshape(out, point.numel()) for each, point in zip(found, points, strict=True)]


def measured(
    trace: Trace, step: Step, tensor: int, result: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which elements of a tensor feed which of the result, and the derivatives, as matrices
    (those of its several places among the operands added)."""
    fed = trace.feeds(step.number, result)
    assert fed is not None
    entries, derivatives = fed
    shape = trace.tensor(step.results[result]).numel, trace.tensor(tensor).numel
    pattern, values = np.zeros(shape, bool), np.zeros(shape)
    positions = [i for i, operand in enumerate(step.operands) if operand.tensor == tensor]
    assert positions
    for (place, operand, source), derivative in zip(entries, derivatives, strict=True):
        if operand in positions:
            pattern[place, source] = True
            values[place, source] += derivative
    return pattern, values


@pytest.mark.parametrize("case", FEEDS, ids=lambda case: case.line)
def test_what_feeds_says_which_and_how_strongly(case: Case, traced: Trace) -> None:
    line = f"r{len(MOVES) + FEEDS.index(case)} = {case.line}"
    step = last_step(traced, "cases", line)
    found = provenance(step, case.result)
    assert found.kind == "feeds", found
    names = list(case.names)
    held = traced.names_after("cases")
    random = torch.Generator().manual_seed(1)
    point = {
        name: torch.randn(DOUBLE[name].shape, generator=random, dtype=torch.float64)
        for name in names
    }
    generic = jacobian(case.line, names, case.result, **point) if case.feeds == "jacobian" else []
    local = jacobian(case.line, names, case.result)
    out = result_of(eval(case.line, DOUBLE), case.result)
    for i, name in enumerate(names):
        pattern, derivatives = measured(traced, step, held[name], case.result)
        if callable(case.feeds):
            expected = case.feeds(out, DOUBLE[name])
        else:
            expected = np.asarray(generic[i] != 0)
        assert np.array_equal(pattern, expected), f"{name}\n{pattern}\n{expected}"
        assert np.allclose(derivatives, local[i], rtol=1e-6, atol=1e-9, equal_nan=True)


def test_smooth_derivatives_are_those_of_central_differences(traced: Trace) -> None:
    smooth = ("a * b", "F.softmax(a, dim=0)", "a @ b.T", "F.layer_norm(a, (4,))", "two ** 2")
    for line in smooth:
        number = next(i for i, case in enumerate(FEEDS) if case.line == line)
        step = last_step(traced, "cases", f"r{len(MOVES) + number} = {line}")
        name = next(iter(FEEDS[number].names))
        _, derivatives = measured(traced, step, traced.names_after("cases")[name])
        for place in range(DOUBLE[name].numel()):
            shift = torch.zeros(DOUBLE[name].numel(), dtype=torch.float64)
            shift[place] = 1e-5
            shift = shift.reshape(DOUBLE[name].shape)
            up, down = (eval(line, {**DOUBLE, name: DOUBLE[name] + s}) for s in (shift, -shift))
            slope = ((up - down) / 2e-5).reshape(-1)
            assert np.allclose(derivatives[:, place], slope, atol=1e-6), line


def test_x_squared_at_two_has_slope_four(traced: Trace) -> None:
    number = next(i for i, case in enumerate(FEEDS) if case.line == "two ** 2")
    step = last_step(traced, "cases", f"r{len(MOVES) + number} = two ** 2")
    fed = traced.feeds(step.number)
    assert fed is not None
    assert (fed[0].tolist(), fed[1].tolist()) == ([[0, 0, 0]], [4.0])


def first(shape: torch.Tensor) -> torch.Tensor:
    return numbered(shape, 0)


def written(change: Callable[[torch.Tensor], Any], shape: str = "a") -> torch.Tensor:
    """Return element numbers after an assignment, those of operand 0 being in it before."""
    numbers = first(PLAIN[shape]).clone()
    change(numbers)
    return numbers


def _set(index: Any, value: Any) -> Callable[[torch.Tensor], Any]:
    return lambda numbers: numbers.__setitem__(index, value)


WRITTEN_MOVES = {
    "c3[1:, 0] = w[:2]": written(_set((slice(1, None), 0), numbered(PLAIN["w"][:2], 2))),
    "c4[2:5] = 7": written(_set(slice(2, 5), 7), "n"),
    "c8.copy_(b)": numbered(PLAIN["b"], 1),
    "c9.zero_()": torch.zeros(3, 4),
    "c10.t_()": numbered(PLAIN["a"], 0).T,
    "c11.masked_fill_(grid, 0.0)": written(_set(PLAIN["grid"], 0.0)),
    "c12[grid] = 5.0": written(_set(PLAIN["grid"], 5.0)),
    "c14[1:] = c14[:-1].clone()": written(_set(slice(1, None), numbered(PLAIN["v"][:-1], 2)), "v"),
    "torch.cat([a.flatten()], out=c16)": numbered(PLAIN["a"], 0),
}
WRITTEN_FEEDS = {
    "c1.add_(b)": ("a + b", {"a": [0], "b": [1]}),
    "c2 *= c2": ("a * a", {"a": [0, 1]}),
    "c5.relu_()": ("a.relu()", {"a": [0]}),
    "part.mul_(10)": ("a[0] * 10", {"a": [0]}),
    "torch.mul(a, b, out=c7)": ("a * b", {"a": [0], "b": [1]}),
    "c13.clamp_(min=0)": ("a.clamp(min=0)", {"a": [0]}),
    "c15.index_add_(0, rows, b)": ("a.index_add(0, rows, b)", {"a": [0], "b": [3]}),
    "c17.mul_(leaf)": ("leaf * leaf", {"leaf": [0, 1]}),
    "c18.pow_(2)": ("a ** 2", {"a": [0]}),
}


@pytest.mark.parametrize("text", WRITTEN_MOVES)
def test_in_place_moves_are_of_what_was_there_before(text: str, traced: Trace) -> None:
    step = last_step(traced, "writes", text)
    moved = traced.moves(step.number)
    assert moved is not None, step.provenance
    assert np.array_equal(moved, origins(WRITTEN_MOVES[text]))


@pytest.mark.parametrize("text", WRITTEN_FEEDS)
def test_in_place_feeds_are_of_what_was_there_before(text: str, traced: Trace) -> None:
    step = last_step(traced, "writes", text)
    line, names = WRITTEN_FEEDS[text]
    fed = traced.feeds(step.number)
    assert fed is not None, step.provenance
    entries, derivatives = fed
    local = jacobian(line, list(names), 0)
    for expected, positions in zip(local, names.values(), strict=True):
        dense = np.zeros(expected.shape)
        for (place, operand, source), derivative in zip(entries, derivatives, strict=True):
            if operand in positions:
                dense[place, source] += derivative
        assert np.allclose(dense, expected)
    floating = {
        i
        for i, operand in enumerate(step.operands)
        if operand.tensor is not None and "float" in traced.tensor(operand.tensor).dtype
    }
    assert floating & set(entries[:, 1].tolist()) == {
        position for positions in names.values() for position in positions
    }


OPAQUE = {
    "train = F.dropout(a, 0.5, training=True)": "random",
    "noise = torch.rand_like(a)": "random",
    "coins = torch.bernoulli(torch.full((3,), 0.5))": "random",
    "drawn = torch.multinomial(v.abs(), 2)": "random",
    "own = torch.normal(v, 1.0, generator=generator)": "random",
    "uniform = torch.zeros(3).uniform_()": "random",
    "filled = torch.nn.init.normal_(torch.zeros(3))": "random",
    "distinct = torch.unique(ties)": "size",
    "factors = torch.linalg.lu_factor_ex(square)": "other values",
    "places = torch.nonzero(kinks)": "size",
    "size = torch.randn(40, 40).sum()": "large",
    "named = v.as_subclass(Named) + 1": "subclass",
    "sparse = torch.eye(3).to_sparse() * 2": "read",
    'meta = torch.ones(2, device="meta") + 1': "read",
    "raw = torch.empty(3) + 1": "written",
}


@pytest.mark.parametrize("text", OPAQUE)
def test_what_cannot_be_told_is_opaque_and_says_why(text: str, traced: Trace) -> None:
    found = provenance(last_step(traced, "others", text))
    assert (found.kind, found.array, found.derivatives) == ("opaque", None, None)
    assert OPAQUE[text] in found.reason


EXACT = {  # text: pattern, tensor; no derivatives
    "largest = a.argmax(dim=1)": (over(1), "a"),
    "order = a.argsort(dim=1)": (over(1), "a"),
    "positive = a > 0": (each, "a"),
    "five = n == 5": (each, "n"),
    "hundred = n == 100": (each, "n"),
    "never = a > 1e30": (each, "a"),
    "both = mask & mask2": (each, "mask"),
    "neither = ~mask": (each, "mask"),
    "longs = a.long()": (each, "a"),
    "whole_parts = a // 1": (each, "a"),
    "floats = n.float()": (each, "n"),
    "doubled = n * 2": (each, "n"),
    "total = n.sum()": (everything, "n"),
    "counted = torch.count_nonzero(n)": (everything, "n"),
    "every = mask.all()": (everything, "mask"),
    "some = mask.any()": (everything, "mask"),
    "nans = odd.isnan()": (each, "odd"),
    "close = torch.isclose(a, b)": (each, "b"),
    "complexes = z * 2": (each, "z"),
    "lengths = z.abs()": (each, "z"),
    "binned = torch.bincount(targets)": (None, "targets"),
    "hotter = F.one_hot(targets)": (None, "targets"),
    "hot = F.one_hot(targets, 5)": (None, "targets"),
}


@pytest.mark.parametrize("text", EXACT)
def test_integers_and_truths_feed_without_derivatives(text: str, traced: Trace) -> None:
    step = last_step(traced, "others", text)
    found = provenance(step)
    pattern, name = EXACT[text]
    if pattern is None:  # its size depends on the values, or it says exactly so
        rows_of = {"hot": over_rows(3, 5)}
        name_of = text.partition(" ")[0]
        if name_of not in rows_of:
            assert found.kind == "opaque"
            return
        expected = rows_of[name_of]
    else:
        scope = dict(PLAIN)
        exec(text, scope)
        expected = pattern(scope[text.partition(" ")[0]], PLAIN[name])
    assert found.kind == "feeds", found
    held = traced.names_after("others")
    fed, derivatives = measured(traced, step, held[name])
    assert np.array_equal(fed, expected)
    assert np.isnan(derivatives[fed]).all()
    assert found.derivatives is None


def over_rows(elements: int, classes: int) -> NDArray[np.bool_]:
    return np.repeat(np.eye(elements, dtype=bool), classes, axis=0)


def test_targets_feed_the_loss_without_a_derivative(traced: Trace) -> None:
    number = next(i for i, c in enumerate(FEEDS) if c.line == "F.cross_entropy(a, targets)")
    step = last_step(traced, "cases", f"r{len(MOVES) + number} = F.cross_entropy(a, targets)")
    fed, derivatives = measured(traced, step, traced.names_after("cases")["targets"])
    assert fed.all()
    assert np.isnan(derivatives).all()


def test_under_inference_mode_and_no_grad_it_is_the_same(traced: Trace) -> None:
    for text, slope in (("inference = v * 2", 2.0), ("ungraded = leaf * 2", 2.0)):
        step = last_step(traced, "others", text)
        fed = traced.feeds(step.number)
        assert fed is not None, step.provenance
        assert (fed[1] == slope).all()
    moved = traced.moves(last_step(traced, "others", "inferred = inference.reshape(2, 2)").number)
    assert moved is not None
    assert moved.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


def test_inside_transforms_nothing_is_measured(traced: Trace) -> None:
    for text in ("mapped = torch.vmap(lambda row: row * 2)(a)",):
        step = last_step(traced, "others", text)
        assert provenance(step).kind == "opaque"
    assert traced.error is None


def test_what_came_from_no_operand_is_not_made_up(traced: Trace) -> None:
    step = last_step(traced, "others", "zeros = torch.zeros_like(a)")
    moved = traced.moves(step.number)
    assert moved is not None
    assert (moved == -1).all()
    assert provenance(last_step(traced, "others", "nearly = a * 0")).kind == "feeds"
    assert last_step(traced, "others", "created = torch.ones(3)").provenance == ()


CONVERTED = {
    "joined = torch.cat([whole, w])": {"whole": range(3), "w": range(3, 6)},
    "told = torch.cat([sure, v])": {"sure": range(6), "v": range(6, 10)},
    "longer = torch.cat([w, w.double()])": {"w": range(3)},
    "filled_in[0] = whole": {"whole": range(3)},
}
"""Lines, and where in their result the elements of each name are."""


@pytest.mark.parametrize("text", CONVERTED)
def test_what_gets_another_dtype_is_no_constant(text: str, traced: Trace) -> None:
    step = last_step(traced, "others", text)
    held = traced.names_after("others")
    for name, places in CONVERTED[text].items():
        fed, derivatives = measured(traced, step, held[name])
        expected = np.zeros_like(fed)
        expected[list(places), range(len(places))] = True
        assert np.array_equal(fed, expected), name
        slopes = derivatives[fed]
        assert (slopes == 1).all() if PLAIN[name].is_floating_point() else np.isnan(slopes).all()


ARITHMETIC = (
    *("by_one", "count_once", "to_the_first"),
    *("mean_of_one", "sum_over_one", "running_sum"),
)
"""Lines whose results have the bits of an operand, and yet were computed."""


def test_a_gradient_that_is_read_was_there_already(traced: Trace) -> None:
    step = last_step(traced, "others", "slope = leaf.grad")
    assert (step.view, step.written, step.provenance) == (False, False, ())


def test_what_happens_to_leave_the_values_is_no_move(traced: Trace) -> None:
    for name in (
        "shrunk",
        "positive_only",
        "thresholded",
        "by_ones",
        "by_mask",
        "by_unit",
        *ARITHMETIC,
    ):
        (text,) = [
            s.text for s in traced.cell("others").statements if s.text.startswith(name + " ")
        ]
        assert provenance(last_step(traced, "others", text)).kind == "feeds", text
    assert provenance(last_step(traced, "others", "histogram = torch.histc(a, 4)")).kind == "opaque"


def test_attention_without_dropout_is_measured(traced: Trace) -> None:
    step = last_step(
        traced, "others", "attention = F.scaled_dot_product_attention(cube, cube, cube)"
    )
    assert provenance(step).kind == "feeds"


def test_measuring_never_failed(traced: Trace) -> None:
    reasons = {each.reason for step in traced.steps for each in step.provenance}
    assert not [reason for reason in reasons if "failed" in reason]
