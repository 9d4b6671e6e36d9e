"""The digits of the lessons, against scikit-learn's own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

LESSONS = Path(__file__).parents[1] / "lessons"


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    """The module ``lessons/digits.py``, imported beside the torch of this machine."""
    spec = importlib.util.spec_from_file_location("digits", LESSONS / "digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mnist(digits: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """LESSON_DATA=mnist, an empty folder for it, and no host to download from."""
    monkeypatch.setenv("LESSON_DATA", "mnist")
    monkeypatch.setattr(digits, "FOLDER", tmp_path)
    monkeypatch.setattr(digits.datasets.MNIST, "mirrors", [])
    digits.read.cache_clear()
    yield tmp_path
    digits.read.cache_clear()


def test_the_digits_are_those_of_scikit_learn(digits: ModuleType) -> None:
    training, testing = digits.Digits(), digits.Digits(train=False)
    assert (len(training), len(testing)) == (1440, 357)
    original = digits.load_digits()
    labels = torch.cat([training.labels, testing.labels])
    assert labels.tolist() == original.target.tolist()
    images = torch.cat([training.images, testing.images]).reshape(-1, 1, 28, 28)
    smaller = torch.from_numpy(original.images).float().unsqueeze(1) / 16
    resized = torch.nn.functional.interpolate(
        smaller, (28, 28), mode="bilinear", antialias=True, align_corners=False
    )
    assert torch.equal(images, resized)


def test_an_item_is_784_numbers_between_0_and_1_and_a_label(digits: ModuleType) -> None:
    training = digits.Digits()
    image, label = training[3]
    assert (image.shape, image.dtype) == ((784,), torch.float32)
    assert (label.shape, label.dtype, label.item()) == ((), torch.int64, 3)
    assert (training.images.min(), training.images.max()) == (0, 1)
    batch, labels = next(iter(torch.utils.data.DataLoader(training, batch_size=8)))
    assert (batch.shape, labels.shape) == ((8, 784), (8,))


def test_reading_leaves_the_random_numbers_alone(digits: ModuleType) -> None:
    digits.read.cache_clear()
    before = torch.get_rng_state()
    first = digits.Digits()
    digits.read.cache_clear()
    assert torch.equal(first.images, digits.Digits().images)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_digits_import_where_the_operators_of_torchvision_do_not_load() -> None:
    mismatch = (
        "import torch\n"
        "def refuse(path): raise OSError('libcudart is not here')\n"
        "torch.ops.load_library = refuse\n"
    )
    alone = _python(mismatch + "import torchvision")
    assert "operator torchvision::nms does not exist" in alone.stderr
    beside = _python(mismatch + "from digits import Digits; print(len(Digits()))")
    assert (beside.stdout, beside.stderr) == ("1440\n", "")


def test_a_lesson_reaches_the_digits_as_contributing_says(tmp_path: Path) -> None:
    paper = (LESSONS.parent / "CONTRIBUTING.md").read_text()
    lines = [line.strip() for line in paper.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("sys.path.append"))
    imports = "\n".join(lines[first : first + 2])
    lesson = tmp_path / "lessons/network/lesson.py"
    lesson.parent.mkdir(parents=True)
    shutil.copy(LESSONS / "digits.py", tmp_path / "lessons")
    lesson.write_text(f"import sys\nfrom pathlib import Path\n{imports}\nprint(len(Digits()))\n")
    for folder in (tmp_path, lesson.parent):
        ran = subprocess.run(
            [sys.executable, "-B", os.path.relpath(lesson, folder)],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.stdout, ran.stderr) == ("1440\n", "")


def test_mnist_that_cannot_be_downloaded_says_what_to_do(digits: ModuleType, mnist: Path) -> None:
    with pytest.raises(RuntimeError, match="unset LESSON_DATA") as raised:
        digits.Digits()
    assert raised.value.__cause__ is not None


def test_mnist_that_was_downloaded_is_read(digits: ModuleType, mnist: Path) -> None:
    pixels = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
    raw = mnist / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        _write_idx(raw / f"{part}-images-idx3-ubyte", pixels)
        _write_idx(raw / f"{part}-labels-idx1-ubyte", np.array([7, 4], dtype=np.uint8))
    training = digits.Digits()
    assert training.labels.tolist() == [7, 4]
    assert torch.equal(training.images, torch.from_numpy(pixels).reshape(2, 784) / 255)


def test_another_source_is_an_error(
    digits: ModuleType, mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESSON_DATA", "fashion")
    with pytest.raises(ValueError, match="LESSON_DATA is 'fashion'"):
        digits.Digits()


def _write_idx(file: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of bytes as MNIST's files do, unpacked as torchvision leaves them."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    file.write_bytes(head + array.tobytes())


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=LESSONS,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "LESSON_DATA"}
