import torch

times = torch.zeros(3, 4, dtype=torch.int64)
for row in range(3):
    for column in range(4):
        times[row, column] = row * column
print(times)
