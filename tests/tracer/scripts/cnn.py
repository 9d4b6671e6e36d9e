import sys
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from fingerprint import fingerprint
from torch.utils.data import DataLoader, Subset

sys.path.append(str(Path(__file__).parents[3] / "lessons"))
from digits import Digits

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 8, 3, padding=1)
        self.dropout = nn.Dropout(0.25)
        self.fc = nn.Linear(8 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc(self.dropout(x)), dim=1)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loader = DataLoader(Subset(Digits(), range(256)), batch_size=32, shuffle=True)

for epoch in range(2):
    for batch_idx, (data, target) in enumerate(loader):
        optimizer.zero_grad()
        output = model(data.view(-1, 1, 28, 28))
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
    print(f"Train Epoch: {epoch} Loss: {loss.item():.6f}")

model.eval()
test = Digits(train=False)
with torch.no_grad():
    pred = model(test.images.view(-1, 1, 28, 28)).argmax(dim=1, keepdim=True)
correct = pred.eq(test.labels.view_as(pred)).sum().item()
print(f"Accuracy: {correct}/{len(test)}")
print(fingerprint(globals()))
