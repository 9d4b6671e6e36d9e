import torch

whole = torch.tensor([3, -1, 250])
half = whole.to(torch.float16)
brain = whole.to(torch.bfloat16)
double = whole.double() / 3
small = whole.to(torch.int8)
byte = whole.to(torch.uint8)
true = whole.bool()
wave = torch.tensor([1 + 2j, -0.5j])
size = wave.abs()
