import torch

torch.manual_seed(0)
q = torch.randn(3, 4)
k = torch.randn(3, 4)
v = torch.randn(3, 4)
scores = q @ k.T / k.shape[-1] ** 0.5
mask = torch.tril(torch.ones(3, 3)).bool()
scores = scores.masked_fill(~mask, float("-inf"))
weights = torch.softmax(scores, dim=-1)
print(weights)
out = weights @ v
