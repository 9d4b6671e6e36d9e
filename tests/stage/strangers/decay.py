import torch

w = torch.tensor([1.0, -2.0, 3.0])
for step in range(100):
    slope = 2 * w
    w = w - 0.05 * slope
total = w.abs().sum()
