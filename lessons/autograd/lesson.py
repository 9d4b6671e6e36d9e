import torch

# %% backward
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = x * 3
z = y.sum()
z.backward()
print(x.grad)
