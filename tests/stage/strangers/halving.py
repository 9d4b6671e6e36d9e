import torch

n = torch.tensor(37)
count = torch.tensor(0)
while n > 1:
    n = n // 2
    count += 1
