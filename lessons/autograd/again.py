import torch

# %% again
x = torch.tensor([2.0, 3.0], requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.1)
(x * 3).sum().backward()
(x * 3).sum().backward()
optimizer.zero_grad()
print(x.grad)
