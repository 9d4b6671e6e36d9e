"""One number for all that a script holds: its tensors, parameters, gradients and random state."""

import hashlib

import torch


def fingerprint(names):
    """Return the sha256 of every value in ``names`` that torch made, and of the random state."""
    sha = hashlib.sha256()
    for name in sorted(names):
        if not name.startswith("_"):
            for part in parts(names[name]):
                sha.update(f"{name} {part.dtype} {tuple(part.shape)}".encode())
                sha.update(part.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    sha.update(torch.get_rng_state().numpy().tobytes())
    return sha.hexdigest()


def parts(value):
    """Yield the tensors in a value: a tensor and its gradient, a module's, an optimizer's."""
    if isinstance(value, torch.Tensor):
        yield value.detach()
        if value.is_leaf and value.grad is not None:
            yield value.grad
    elif isinstance(value, float):
        yield torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, torch.nn.Module):
        for each in (*value.parameters(), *value.buffers()):
            yield from parts(each)
    elif isinstance(value, torch.optim.Optimizer):
        for state in value.state.values():
            yield from parts(list(state.values()))
    elif isinstance(value, dict):
        yield from parts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from parts(each)
