import torch

# %% reshape
x = torch.arange(12)
y = x.reshape(3, 4)
z = x.reshape(2, 2, 3)

# %% unsqueeze
a = y.unsqueeze(0)
b = a.squeeze(0)

# %% transpose
t = y.T
c = t.contiguous()

# %% view_or_copy
v = x.view(4, 3)
v[1, 2] = 99
w = v.clone()
w[0, 0] = -5
