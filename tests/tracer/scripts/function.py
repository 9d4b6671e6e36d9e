import torch
from fingerprint import fingerprint


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Round(torch.autograd.Function):
    """Round, with the gradient passed straight through."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


torch.manual_seed(0)
x = torch.linspace(-1, 1, 6, requires_grad=True)
P3 = LegendrePolynomial3.apply
y = P3(x)
y.sum().backward()
print(x.grad)

w = torch.tensor([0.4, 1.6], requires_grad=True)
handle = w.register_hook(lambda g: g * 2)
(Round.apply(w) * torch.tensor([1.0, 10.0])).sum().backward()
handle.remove()
print(w.grad)
ok = torch.autograd.gradcheck(P3, torch.randn(4, dtype=torch.double, requires_grad=True))
print(ok)
print(fingerprint(globals()))
