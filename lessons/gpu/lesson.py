import sys
from pathlib import Path

import torch
from torch import nn

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
model = SimpleNet()
inputs = Digits().images[:64]

# %% gpu
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if device.type == "cpu":
    device = torch.device("meta")  # no GPU here: meta stands in for it

model.to(device)
try:
    outputs = model(inputs)
except RuntimeError as error:
    print(error)
inputs = inputs.to(device)
outputs = model(inputs)
