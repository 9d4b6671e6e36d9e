import torch

x = torch.tensor([1.0, 3.0])
for lap in range(5):
    x = x * 2
print(x)
