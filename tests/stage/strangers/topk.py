import torch

logits = torch.tensor([2.0, -1.0, 0.5, 3.5, 1.0])
values, indices = logits.topk(2)
print(values, indices)
ordered, order = torch.sort(logits, descending=True)
best = logits.argmax()
labels = ["cat", "dog", "bird", "fish", "frog"]
print("prediction:", labels[best])
restored = ordered[torch.argsort(order)]
