"""TorchReel: animated PyTorch lessons, drawn from what torch really did."""
