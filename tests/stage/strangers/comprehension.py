import torch

rows = [torch.full((3,), float(k)) for k in range(4)]
stacked = torch.stack(rows)
sums = [row.sum() for row in stacked]
pairs = {name: torch.arange(size) for name, size in (("a", 2), ("b", 3))}
joined = torch.cat([pairs["a"], pairs["b"]])
