import copy

import torch
from fingerprint import fingerprint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
X = torch.randn(96, 6)
y = (X[:, 0] * X[:, 1] > 0).long()
train_set, val_set = random_split(TensorDataset(X, y), [64, 32])
train_loader = DataLoader(train_set, batch_size=16, shuffle=True, drop_last=True)
val_loader = DataLoader(val_set, batch_size=32)

model = nn.Sequential(
    nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 2)
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
best, best_loss, history = None, float("inf"), []

for epoch in range(6):
    model.train()
    running = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        total_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        running += loss.item() * len(xb)
    scheduler.step()

    model.eval()
    with torch.no_grad():
        for xb, yb in val_loader:
            out = model(xb)
            val_loss = criterion(out, yb).item()
            accuracy = (out.argmax(1) == yb).float().mean().item()
    history.append((running / 64, val_loss, scheduler.get_last_lr()[0]))
    print(f"{epoch + 1}: {running / 64:.4f} {val_loss:.4f} {accuracy:.2f}")
    if val_loss < best_loss:
        best_loss, best = val_loss, copy.deepcopy(model.state_dict())

model.load_state_dict(best)
print(fingerprint(globals()))
