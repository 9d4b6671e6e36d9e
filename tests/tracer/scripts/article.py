import sys
from pathlib import Path

import torch
import torch.nn as nn
from fingerprint import fingerprint
from torch.utils.data import DataLoader

sys.path.append(str(Path(__file__).parents[3] / "lessons"))
from digits import Digits

torch.manual_seed(0)

# %% tensors
scalar = torch.tensor(3.14)
vector = torch.tensor([1, 2, 3])
matrix = torch.rand(3, 4)
image = torch.rand(28, 32, 3)
batch = torch.stack([image, image.flip(1)])
print(scalar.shape, vector.shape, matrix.shape, image.shape, batch.shape)

# %% reshape
x = torch.arange(12)
y = x.reshape(3, 4)
z = x.reshape(2, 2, 3)
a = y.unsqueeze(0)
b = a.squeeze(0)

# %% autograd
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = x * 3
z = y.sum()
z.backward()
print(x.grad)


# %% network
class SimpleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.layer2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.layer1(x)
        x = self.relu(x)
        return self.layer2(x)


model = SimpleNet()

# %% training
train_loader = DataLoader(Digits(), batch_size=8, shuffle=True)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
for epoch in range(10):
    for images, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
    print(f"Epoch {epoch + 1}, Loss: {loss.item():.4f}")

# %% device
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = model.to(device)
images = images.to(device)
outputs = model(images)
print(outputs.device.type == device.type)
print(fingerprint(globals()))
