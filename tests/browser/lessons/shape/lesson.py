import torch

# %% reshape
x = torch.arange(12)
y = x.reshape(3, 4)
z = x.reshape(2, 2, 3)

# %% unsqueeze
a = y.unsqueeze(0)
b = a.squeeze(0)
