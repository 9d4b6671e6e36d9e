import torch
from fingerprint import fingerprint

torch.manual_seed(1)

x = torch.linspace(-1, 1, 50).unsqueeze(1)
y = 3 * x - 2 + 0.1 * torch.randn(50, 1)

w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
losses = []
for epoch in range(120):
    prediction = x * w + b
    loss = ((prediction - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.3 * w.grad
        b -= 0.3 * b.grad
    w.grad.zero_()
    b.grad.zero_()
    losses.append(loss.item())
    if epoch % 40 == 0:
        print(f"epoch {epoch}: {loss.item():.4f}")

print("w", w.item(), "b", b.item())
print(fingerprint(globals()))
