import torch

x = torch.arange(6)
x = x * 2
x = x.reshape(2, 3)
y = x
y += 1
x = x.T
x = x[0]
x = x.sum()
