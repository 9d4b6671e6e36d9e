import torch


def normalised(x):
    centred = x - x.mean()
    return centred / centred.std()


def cosine(u, v):
    return (u * v).sum() / (u.norm() * v.norm())


a = normalised(torch.tensor([1.0, 2.0, 4.0, 5.0]))
b = normalised(torch.tensor([2.0, 1.0, 0.0, 3.0]))
alike = cosine(a, b)
print(f"{alike:.3f}")
