import torch

heights = torch.tensor([1.62, 1.75, 1.81])
weights = torch.tensor([61.0, 74.5, 88.2])
bmi = weights / heights**2
limit = torch.tensor(25.0)
heavy = bmi > limit
names = torch.arange(3)
picked = names[heavy]
