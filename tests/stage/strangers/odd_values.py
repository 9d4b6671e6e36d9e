import torch

a = torch.tensor([1.0, 0.0, -1.0])
b = a / 0
c = b * 0
d = torch.isnan(c)
e = torch.nan_to_num(b)
tiny = torch.tensor([1e-8, 1.0, 1e12])
root = tiny.sqrt()
