from __future__ import annotations

import pytest

from torchreel.site.requests import ClipRequest, clip_requests
from torchreel.site.source import ClipBlock, Escape, Reference, Slashes, front_matter, parse

PAGE = "lessons/shape/index.md"
TEXT = """\
---
title: A page
---

# Title {{ reshape:x.shape }}

/// clip | reshape
    alt: A row: it folds into {{ y.shape }},
      then rests.

1. First {{ x.shape }}.
2. Second,
   on two lines {{ y.shape }}.
    1. nested
///

    text | code `\\{{ no.shape }}` \\{{ no.shape }} <!-- {{ no.shape }} -->

```python
/// clip | no
{{ no.shape }}
```

/// details | Answer
{{ z.shape }}
///
"""


def blocks(text: str) -> list[ClipBlock]:
    return [piece for piece in parse(text, PAGE) if isinstance(piece, ClipBlock)]


def test_the_pieces_give_the_page_back() -> None:
    pieces = parse(TEXT, PAGE)
    assert "".join(piece if isinstance(piece, str) else piece.raw for piece in pieces) == TEXT


def test_a_block_has_lines_of_the_source() -> None:
    (block,) = blocks(TEXT)
    assert (block.script, block.cell, block.line) == ("lessons/shape/lesson.py", "reshape", 7)
    assert block.options["alt"][0] == "A row: it folds into "
    assert block.options["alt"][2] == ",\nthen rests."
    first, second = block.items
    assert [first.line, second.line, second.items[0].line] == [11, 12, 14]
    assert second.prose == ("Second,\non two lines ", Reference(13, "{{ y.shape }}"), ".")
    assert not block.problems


def test_code_comments_and_escapes_are_left_alone() -> None:
    pieces = parse(TEXT, PAGE)
    references = [piece.raw for piece in pieces if isinstance(piece, Reference)]
    assert references == ["{{ reshape:x.shape }}", "{{ z.shape }}"]
    assert [piece.line for piece in pieces if isinstance(piece, Slashes)] == [24, 26]


def test_a_code_span_quotes_and_says_its_line() -> None:
    pieces = parse("a\n`b\n{{ x.shape }}` ``{{ y.shape }} ` \\\\{{`` `{{ z`", PAGE)
    assert pieces == (
        "a\n`b\n",
        Reference(3, "{{ x.shape }}", code=True),
        "` ``",
        Reference(3, "{{ y.shape }}", code=True),
        " ` \\",
        Escape(3, "\\{{"),
        "`` `",
        Reference(3, "{{", code=True),
        " z`",
    )


def test_lines_count_from_where_the_text_starts() -> None:
    stripped = TEXT[len(front_matter(TEXT)) :]
    whole = [piece.line for piece in parse(TEXT, PAGE) if not isinstance(piece, str)]
    part = [piece.line for piece in parse(stripped, PAGE, 5) if not isinstance(piece, str)]
    assert whole == part


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("/// clip\n///", 1, "names no cell"),
        ("/// clip | \n///", 1, "names no cell"),
        ("text\n\n/// clip | reshape\n\n1. one\n", 3, "not closed"),
        ("/// clip | a\n    alt: x\n\ntext\n\n/// clip | b\n///", 1, "not closed"),
        ("/// clip | a\n    speed: 2\n///", 2, "unknown option 'speed'"),
        ("/// clip | a\n    show: nothing\n///", 2, "unknown `show: nothing`"),
        ("/// clip | a\nalt: not indented\n///", 2, "not 'alt: not indented'"),
    ],
)
def test_what_is_wrong_with_a_block(text: str, line: int, what: str) -> None:
    (problem,) = blocks(text)[0].problems
    assert problem.where == f"{PAGE}:{line}"
    assert what in problem.what
    assert problem.remedy


def test_requests_are_the_clips_and_the_scripts_of_a_page() -> None:
    text = TEXT + "\n{{ forgot.py:accumulate:w.shape }}\n\n/// clip | forgot.py:step\n///\n"
    assert clip_requests(text, PAGE) == [
        ClipRequest("lessons/shape/lesson.py", None, f"{PAGE}:5"),
        ClipRequest("lessons/shape/lesson.py", "reshape", f"{PAGE}:7"),
        ClipRequest("lessons/shape/forgot.py", None, f"{PAGE}:28"),
        ClipRequest("lessons/shape/forgot.py", "step", f"{PAGE}:30"),
    ]


def test_a_script_alone_is_the_cell_that_is_named_after_it() -> None:
    (block,) = blocks("/// clip | other/forgot.py\n///")
    assert (block.script, block.cell) == ("lessons/shape/other/forgot.py", "forgot")
