import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

sys.path.append(str(Path(__file__).parents[1]))  # lessons/, where digits.py is
from digits import Digits


class SimpleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.layer2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.layer1(x)
        x = self.relu(x)
        x = self.layer2(x)
        return x


torch.manual_seed(0)
test = Digits(train=False)
model = SimpleNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
train_loader = DataLoader(Digits(), batch_size=8, shuffle=True)
one, label = test.images[:1], test.labels[0]


def measure(*_):
    global accuracy
    with torch.no_grad():
        right = model(test.images).argmax(dim=1) == test.labels
    accuracy = right.float().mean()


optimizer.register_step_post_hook(measure)  # runs after each step: is it getting better?

# %% before
outputs = model(one)

# %% first
first_guess = outputs.argmax()

# %% train
for epoch in range(10):
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()

# %% after
outputs = model(one)

# %% last
last_guess = outputs.argmax()
