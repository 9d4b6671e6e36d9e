"""A page gets into ``nav`` and every other line of mkdocs.yml stays as it was."""

from __future__ import annotations

import pytest

from torchreel.nav import pages, with_page

NEW = "new/index.md"


def is_lesson(page: str) -> bool:
    return page.endswith("/index.md")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("nav:\n  - index.md\n  - a/index.md\n  - about.md\n", "  - a/index.md"),
        ("nav:\n- index.md\n- about.md", "- about.md"),
        ("nav:\n  - Home: index.md\n  - Lessons:\n      - A: a/index.md # one\n", "# one"),
        ("nav:\n  - L:\n      - a/index.md\n\n      # later\n  - about.md\n", "a/index.md"),
        ("plugins: [x]\nsite_url: !ENV [A, b]\nnav:\n  - 'a/index.md'\ntheme: y\n", "'a/index.md'"),
    ],
)
def test_a_page_follows_the_last_lesson(text: str, after: str) -> None:
    made = with_page(text, NEW, is_lesson)
    assert made is not None
    before, found = text.splitlines(), made.splitlines()
    (line,) = [line for line in found if NEW in line]
    assert found[found.index(line) - 1].endswith(after)
    assert [each for each in found if each != line] == before
    assert NEW in [entry.page for entry in pages(made) or ()]


@pytest.mark.parametrize(
    "text",
    [
        "site_name: x\n",
        "nav: []\n",
        "nav: [index.md, a/index.md]\n",
        "nav:\n  - Lessons: [a/index.md]\n",
        "nav:\n  - a: {b: a/index.md}\n",
        "nav: [\n",
        "",
    ],
)
def test_what_is_not_safe_is_left_alone(text: str) -> None:
    assert with_page(text, NEW, is_lesson) is None
