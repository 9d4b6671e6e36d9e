import torch
import torch.nn as nn
from fingerprint import fingerprint
from torch.nn import functional as F

torch.manual_seed(1337)
block_size, n_embd, n_head = 8, 16, 2
words = ["emma", "olivia", "ava", "isabella", "sophia"]
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}


def get_batch():
    X, Y = torch.zeros(len(words), block_size, dtype=torch.long), []
    for i, word in enumerate(words):
        ids = torch.tensor([stoi[c] for c in "." + word + "."])[: block_size + 1]
        X[i, : len(ids) - 1] = ids[:-1]
        row = torch.full((block_size,), -1)
        row[: len(ids) - 1] = ids[1:]
        Y.append(row)
    return X, torch.stack(Y)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = nn.Linear(n_embd, 3 * n_embd)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 64), nn.GELU(), nn.Linear(64, n_embd))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.attn(self.ln1(x)).split(n_embd, dim=2)
        q, k, v = (t.view(B, T, n_head, -1).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + y.transpose(1, 2).reshape(B, T, C)
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(len(stoi), n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList([Block() for _ in range(2)])
        self.lm_head = nn.Linear(n_embd, len(stoi), bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx, targets=None):
        x = self.wte(idx) + self.wpe(torch.arange(idx.size(1)))
        for block in self.blocks:
            x = block(x)
        logits = self.lm_head(x)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(
            logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1
        )


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
X, Y = get_batch()
for i in range(4):
    logits, loss = model(X, Y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def sample():
    idx = torch.zeros(1, 1, dtype=torch.long)
    while idx.size(1) < block_size:
        logits, _ = model(idx)
        probs = F.softmax(logits[:, -1, :], dim=-1)
        idx = torch.cat([idx, torch.multinomial(probs, num_samples=1)], dim=1)
        if idx[0, -1] == 0:
            break
    return "".join(itos[i] for i in idx[0].tolist())


print(sample(), f"{loss.item():.4f}")
print(fingerprint(globals()))
