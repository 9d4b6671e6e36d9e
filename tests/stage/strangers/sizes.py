import torch

torch.manual_seed(1)
one = torch.rand(1)
ten = torch.rand(10)
hundred = torch.rand(100)
thousand = torch.rand(1000)
grid = torch.randn(100, 100)
million = torch.rand(1_000_000)
table = million.reshape(1000, 1000)
means = table.mean(dim=0)
