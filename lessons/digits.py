"""Handwritten digits for the lessons: images of 28x28 pixels, laid out flat as 784 numbers.

They are the 1,797 real ones that scikit-learn brings along, so no download is needed. For the
70,000 of MNIST, which torchvision downloads, set the environment variable LESSON_DATA to mnist.
"""

import os
from functools import cache
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset

try:
    from torchvision import datasets, transforms
except RuntimeError:
    # The torchvision that pip brings has its operators compiled for CUDA. Beside a torch that is
    # for the CPU only they do not load, and the import fails at "operator torchvision::nms does
    # not exist". No lesson uses them: once torch knows their names, the rest works as ever.
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import datasets, transforms

FOLDER = Path(__file__).parent / "data"  # MNIST is downloaded to it, once
TRAINING = 1440  # of scikit-learn's digits: 180 batches of 8; the other 357 are to test with
flat = transforms.Compose(
    [
        transforms.Resize((28, 28)),
        transforms.Lambda(lambda images: images.flatten(start_dim=1)),
    ]
)


class Digits(Dataset):
    """Pairs of an image, 784 float32 numbers from 0 (paper) to 1 (ink), and its label, 0 to 9."""

    def __init__(self, train=True):
        self.images, self.labels = read(train)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


@cache
def read(train):
    """Return all images (N, 784) and labels (N,) to train with, or to test with."""
    source = os.environ.get("LESSON_DATA", "")
    if source == "mnist":
        return read_mnist(train)
    if source:
        raise ValueError(f"LESSON_DATA is {source!r}: set it to mnist, or do not set it at all")
    digits = load_digits()  # images of 8x8 pixels, each from 0 to 16
    part = slice(TRAINING) if train else slice(TRAINING, None)
    images = torch.from_numpy(digits.images[part]).float() / 16
    return flat(images), torch.from_numpy(digits.target[part])


def read_mnist(train):
    """Return MNIST's images and labels."""
    try:
        mnist = datasets.MNIST(FOLDER, train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            "MNIST could not be downloaded. Connect to the internet and run this again, or unset"
            " LESSON_DATA: the digits of scikit-learn need no download."
        ) from error
    return flat(mnist.data / 255), mnist.targets
