"""Graphs of at most 25 nodes that people write by hand, each a cell that ends in a pass."""

import torch

# %% softmax
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
e = (x - x.max()).exp()
p = e / e.sum()
loss = -p[1].log()
loss.backward()

# %% softmax2
x = torch.tensor([1.0, 2.0], requires_grad=True)
e = x.exp()
s = e.sum()
p = e / s
loss = -torch.log(p[0])
loss.backward()

# %% logistic
x = torch.tensor([1.0, 2.0])
t = torch.tensor(1.0)
w = torch.tensor([0.5, -0.3], requires_grad=True)
b = torch.tensor(0.1, requires_grad=True)
z = (w * x).sum() + b
p = 1 / (1 + (-z).exp())
loss = -(t * p.log() + (1 - t) * (1 - p).log())
loss.backward()

# %% logistic4
torch.manual_seed(0)
X = torch.randn(4, 2)
t = torch.tensor([0.0, 1.0, 1.0, 0.0])
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
p = torch.sigmoid(X @ w + b)
loss = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
loss.backward()

# %% layer_norm
x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
g = torch.ones(3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
m = x.mean()
v = ((x - m) ** 2).mean()
y = (x - m) / (v + 1e-5).sqrt() * g + b
loss = (y**2).sum()
loss.backward()

# %% diamond
x = torch.tensor(2.0, requires_grad=True)
a = x * 2
b = x + 1
c = a * b
d = c.sin()
d.backward()

# %% ladder
x = torch.tensor(1.0, requires_grad=True)
a = x * 2
b = x * 3
c = a + b
d = a * b
e = c + d
f = c * d
y = e + f
y.backward()

# %% mlp
x = torch.tensor([1.0, -2.0])
t = torch.tensor([0.5])
W1 = torch.tensor([[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]], requires_grad=True)
b1 = torch.zeros(3, requires_grad=True)
W2 = torch.tensor([[0.7, -0.8, 0.9]], requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)
h = (W1 @ x + b1).relu()
y = W2 @ h + b2
loss = ((y - t) ** 2).sum()
loss.backward()

# %% rnn
w = torch.tensor(0.5, requires_grad=True)
u = torch.tensor(0.3, requires_grad=True)
h = torch.tensor(0.0)
for a in (1.0, 2.0, 3.0):
    h = torch.tanh(w * h + u * a)
h.backward()

# %% rnn_tensor
torch.manual_seed(0)
W = torch.randn(3, 3, requires_grad=True)
U = torch.randn(3, 2, requires_grad=True)
x = torch.randn(3, 2)
h = torch.zeros(3)
for t in range(3):
    h = torch.tanh(W @ h + U @ x[t])
loss = h.sum()
loss.backward()

# %% lstm
x = torch.tensor(0.5)
h = torch.tensor(0.1)
c = torch.tensor(0.2)
wi = torch.tensor(0.3, requires_grad=True)
wf = torch.tensor(0.4, requires_grad=True)
wg = torch.tensor(0.5, requires_grad=True)
wo = torch.tensor(0.6, requires_grad=True)
i = (wi * x).sigmoid()
f = (wf * x).sigmoid()
g = (wg * x).tanh()
o = (wo * x).sigmoid()
c2 = f * c + i * g
h2 = o * c2.tanh()
h2.backward()

# %% attention
torch.manual_seed(0)
x = torch.randn(3, 4)
Wq = torch.randn(4, 4, requires_grad=True)
Wk = torch.randn(4, 4, requires_grad=True)
Wv = torch.randn(4, 4, requires_grad=True)
q, k, v = x @ Wq, x @ Wk, x @ Wv
a = (q @ k.T / 2).softmax(-1)
y = a @ v
loss = y.sum()
loss.backward()

# %% quadratic
A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
b = torch.tensor([1.0, -1.0])
x = torch.tensor([0.5, 1.5], requires_grad=True)
q = 0.5 * x @ A @ x - b @ x
q.backward()

# %% quadratic_grad
A = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
x = torch.tensor([0.5, 1.5], requires_grad=True)
q = x @ (A @ x)
q.backward()

# %% two_losses
x = torch.tensor(1.5)
w = torch.tensor(0.5, requires_grad=True)
h = (w * x).tanh()
u = torch.tensor(2.0, requires_grad=True)
v = torch.tensor(-1.0, requires_grad=True)
l1 = (u * h - 1) ** 2
l2 = (v * h + 1).abs()
loss = l1 + 0.1 * l2
loss.backward()

# %% residual
x = torch.tensor(1.0, requires_grad=True)
a = x + (x * 0.5).tanh()
b = a + (a * 0.5).tanh()
c = b + (b * 0.5).tanh()
c.backward()

# %% variance
x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
m = x.mean()
v = ((x - m) ** 2).mean()
v.backward()

# %% variance2
x = torch.tensor([1.0, 3.0], requires_grad=True)
v = (x * x).mean() - x.mean() ** 2
v.backward()

# %% polynomial
x = torch.tensor(2.0, requires_grad=True)
a = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
c = torch.tensor(3.0, requires_grad=True)
y = a * x**2 + b * x + c
y.backward()

# %% horner
x = torch.tensor(2.0, requires_grad=True)
y = ((3 * x + 2) * x - 1) * x + 5
y.backward()

# %% cosine
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([2.0, 1.0], requires_grad=True)
s = (a * b).sum() / (a.norm() * b.norm())
s.backward()

# %% cosine_hand
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([2.0, 1.0], requires_grad=True)
n = (a * a).sum().sqrt() * (b * b).sum().sqrt()
s = (a * b).sum() / n
s.backward()

# %% huber
p = torch.tensor([0.5, 3.0], requires_grad=True)
t = torch.tensor([0.0, 1.0])
e = p - t
h = torch.where(e.abs() < 1, 0.5 * e**2, e.abs() - 0.5)
loss = h.mean()
loss.backward()

# %% many_uses
x = torch.tensor(1.0, requires_grad=True)
y = torch.tensor(2.0, requires_grad=True)
a = x * y
b = x + y
c = x - y
d = a * b + c
d.backward()

# %% many_uses3
x = torch.tensor(1.0, requires_grad=True)
y = torch.tensor(2.0, requires_grad=True)
z = torch.tensor(3.0, requires_grad=True)
s = x * y + y * z + x * z
s.backward()

# %% rosenbrock
x = torch.tensor(-1.0, requires_grad=True)
y = torch.tensor(2.0, requires_grad=True)
f = (1 - x) ** 2 + 100 * (y - x**2) ** 2
f.backward()

# %% three_leaves
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(3.0, requires_grad=True)
c = torch.tensor(4.0, requires_grad=True)
d = a * b
e = d + c
f = e * 2
g = f.tanh()
L = g * a
L.backward()

# %% gaussian
x = torch.tensor(1.0)
m = torch.tensor(0.5, requires_grad=True)
s = torch.tensor(2.0, requires_grad=True)
z = (x - m) / s
log_p = -0.5 * z**2 - s.log()
log_p.backward()

# %% gelu
x = torch.tensor(0.7, requires_grad=True)
u = 0.8 * (x + 0.045 * x**3)
y = 0.5 * x * (1 + u.tanh())
y.backward()

# %% swish_gate
x = torch.tensor([1.0, -1.0], requires_grad=True)
w = torch.tensor([0.5, 2.0], requires_grad=True)
g = x * (w * x).sigmoid()
y = g.sum()
y.backward()

# %% square
x = torch.tensor(4.0, requires_grad=True)
y = x * x
y.backward()

# %% outer
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([3.0, 4.0], requires_grad=True)
s = torch.outer(a, b).sum()
s.backward()

# %% matvec
W = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
v = torch.tensor([1.0, -1.0], requires_grad=True)
y = (W @ v).sum()
y.backward()

# %% unbind
m = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
i, j, k = m
y = i * k + j
y.backward()
