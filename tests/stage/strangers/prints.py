import torch

x = torch.linspace(0, 1, 5)
print(x)
print(x.shape, x.dtype)
values, places = x.flip(0).sort()
print(values[:2], places.tolist())
for each in x:
    print(each.item())
print("nothing of torch")
low, high = x.min(), x.max()
