import torch
from fingerprint import fingerprint

torch.manual_seed(0)
A, B = torch.randn(3, 4), torch.randn(4, 5)
S, v = torch.randn(4, 4), torch.randn(4)
batch = torch.randn(2, 3, 4)

# %% the usual ones
assert torch.allclose(torch.einsum("ij,jk->ik", A, B), A @ B, atol=1e-6)
trace = torch.einsum("ii", S)
diagonal = torch.einsum("ii->i", S)
transposed = torch.einsum("ij->ji", A)
total = torch.einsum("ij->", A)
outer = torch.einsum("i,j->ij", v, v)
print(trace.shape, diagonal.shape, outer.shape)

# %% attention in one line
q, k, w = torch.randn(3, 2, 5, 4).unbind(0)
scores = torch.einsum("bid,bjd->bij", q, k).softmax(-1)
mixed = torch.einsum("bij,bjd->bid", scores, w)
assert torch.allclose(mixed, torch.bmm(scores, w), atol=1e-6)

# %% bilinear and ellipsis
W = torch.randn(6, 4, 4, requires_grad=True)
form = torch.einsum("bi,oij,bj->bo", batch[0], W, batch[1])
permuted = torch.einsum("...ij->...ji", batch)
form.sum().backward()
norms = torch.einsum("oij,oij->o", W.grad, W.grad).sqrt()
print(norms.tolist())
print(fingerprint(globals()))
