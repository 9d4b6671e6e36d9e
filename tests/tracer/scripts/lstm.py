import torch
from fingerprint import fingerprint
from torch import nn

torch.manual_seed(42)

text = "hello tensors, hello gradients, "
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])


class CharLSTM(nn.Module):
    def __init__(self, vocab, hidden=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, 8)
        self.lstm = nn.LSTM(8, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(hidden, vocab)

    def forward(self, idx, state=None):
        out, state = self.lstm(self.embed(idx), state)
        return self.head(out), state


model = CharLSTM(len(chars))
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
inputs, targets = data[:-1].unsqueeze(0), data[1:].unsqueeze(0)
for step in range(12):
    logits, _ = model(inputs)
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

model.eval()
idx, state, out = data[:1].unsqueeze(0), None, []
with torch.inference_mode():
    for _ in range(5):
        logits, state = model(idx, state)
        idx = torch.multinomial(logits[:, -1].softmax(-1), 1)
        out.append(chars[idx.item()])
print(repr("".join(out)))
print(fingerprint(globals()))
