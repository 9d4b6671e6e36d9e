import torch

pred = torch.tensor([[1.0], [2.0], [3.0]])
target = torch.tensor([1.0, 2.0, 3.0])
diff = pred - target
print(diff.shape)
loss = (diff**2).mean()
print("wrong:", loss)
fixed = ((pred.squeeze(1) - target) ** 2).mean()
print("right:", fixed)
