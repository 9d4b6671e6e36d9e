import torch
from fingerprint import fingerprint

torch.manual_seed(0)
x = torch.arange(24).reshape(4, 6)

# %% reading
corner = x[-1, ::2]
column = x[:, None, 3]
rows = x[[0, 2]]
checker = x[torch.arange(4) % 2 == 0, 1::2]
pairs = x[torch.tensor([0, 1, 3]), torch.tensor([5, 0, 2])]
big = x[x > 17]
last = x[..., -1]
box = x.unfold(1, 2, 2)
where = (x % 7 == 0).nonzero()
picked = x.gather(1, torch.tensor([[0], [5], [2], [1]]))
top, places = x.topk(2, dim=1)
order = x.flatten()[torch.randperm(24)].argsort()
print(pairs, big.tolist(), where.T.tolist())

# %% writing
onehot = torch.zeros(4, 5).scatter_(1, torch.tensor([[0], [3], [1], [4]]), 1.0)
counts = torch.zeros(3).index_add_(0, torch.tensor([0, 2, 2, 0, 2]), torch.ones(5))
y = x.clone()
y[1:3, 1:3] = torch.tensor([[-1, -2], [-3, -4]])
y[y < 0] *= 10
window = y[:2]
window += 100
y.T[0] = 7
filled = torch.where(x > 11, x, -x)
board = torch.zeros(3, 3)
board.diagonal().fill_(1)
board.view(-1)[1::3] = 5
try:
    x[4]
except IndexError as error:
    print(error)
print(y)
print(fingerprint(globals()))
