import torch

# %% paths
x = torch.tensor(3.0, requires_grad=True)
a = x * 2
b = x**2
y = a + b
y.backward()
print(x.grad)
