import torch

a = torch.ones(2, 3)
b = torch.ones(2)
try:
    c = a + b
except RuntimeError as error:
    print(error)
c = a + b.unsqueeze(1)
try:
    d = a @ b
except RuntimeError as error:
    print(type(error).__name__)
d = a.T @ b
e = a.view(4, 2)
