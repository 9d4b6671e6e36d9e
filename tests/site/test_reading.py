from __future__ import annotations

import pytest

from torchreel.site.reading import readable, seconds_to_read

ENGLISH = "x is (3, 4). It has 12. The end."


def test_japanese_takes_longer_than_latin_script() -> None:
    assert seconds_to_read("a" * 17) == pytest.approx(1)
    assert seconds_to_read("形" * 8) == pytest.approx(1)
    assert seconds_to_read("形は (3, 4)") == pytest.approx(2 / 8 + 7 / 17)


@pytest.mark.parametrize(
    ("seconds", "read"),
    [(0, "x is (3, 4)."), (1.2, "x is (3, 4)."), (1.4, "x is (3, 4). It has 12."), (2, ENGLISH)],
)
def test_the_sentences_that_fit_are_read(seconds: float, read: str) -> None:
    assert readable(ENGLISH, seconds) == read


def test_japanese_sentences_need_no_space_between_them() -> None:
    text = "形は (3, 4) です。0.5 倍です。"
    assert readable(text, 0) == "形は (3, 4) です。"
    assert readable(text, 9) == text


def test_a_point_within_a_word_ends_no_sentence() -> None:
    assert readable("x.grad is 3.0", 0) == "x.grad is 3.0"
