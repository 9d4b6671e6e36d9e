import numpy as np
import torch
from sklearn.datasets import load_digits, load_sample_images

# %% boxes
point = torch.tensor(3.14)
line = torch.tensor([1, 2, 3])
table = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
block = torch.zeros(3, 3, 4)
shelf = torch.zeros(3, 2, 3, 3)

# %% digit
digit = torch.tensor(load_digits().images[3])

# %% pictures
photos = [photo[::18, ::20] for photo in load_sample_images().images]
picture = torch.tensor(photos[1])
batch = torch.tensor(np.stack(photos))

# %% more
w = torch.tensor([2.0, 3.0], requires_grad=True)
print(w.dtype, w.device, w.requires_grad)
