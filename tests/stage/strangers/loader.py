import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.arange(10.0).unsqueeze(1)
y = 2 * X
dataset = TensorDataset(X, y)
loader = DataLoader(dataset, batch_size=4, shuffle=True)
total = torch.tensor(0.0)
for i, (xb, yb) in enumerate(loader):
    print(f"batch {i}: {xb.shape}")
    total = total + yb.sum()
print(total)
