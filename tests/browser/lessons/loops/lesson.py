import torch

# %% loop
t = torch.tensor([6.0, 3.0])
for lap in range(2):
    t = t / (lap + 1)
print(t)

# %% gradient
w = torch.tensor([2.0, 3.0], requires_grad=True)
w.square().sum().backward()
