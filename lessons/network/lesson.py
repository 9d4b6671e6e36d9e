import sys
from pathlib import Path

import torch
from torch import nn

sys.path.append(str(Path(__file__).parents[1]))  # lessons/, where digits.py is
from digits import Digits

torch.manual_seed(0)
digits = Digits()
x = digits.images[3:4]


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
        x = self.layer2(x)
        return x


model = SimpleNet()
outputs = model(x)

# %% nodes
outputs = model(x)

# %% weights
digit = x.reshape(28, 28)
row = model.layer1.weight[0]
picture = row.reshape(28, 28)
product = picture * digit
