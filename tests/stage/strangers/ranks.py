import torch

point = torch.tensor(2.5)
line = point.unsqueeze(0)
plane = line.expand(3, 1)
block = torch.zeros(2, 3, 4)
shelf = torch.ones(2, 2, 2, 3)
shelves = torch.zeros(2, 2, 2, 2, 2)
six = torch.ones(2, 1, 3, 2, 2, 2)
flat = six.flatten()
