from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.site.course import (
    CUES,
    PAGE,
    PAGE_JA,
    SCRIPT,
    render,
    trace,
    without_clip,
    write_artifacts,
)
from torchreel.records import Cue, Problem
from torchreel.site.literals import printed
from torchreel.store import Store

BLOCK = """\
/// clip | reshape
    alt: A row: it folds into {{ y.shape }}.

1. `arange` gives **{{ x.numel }}** numbers.
2. A table, {{ y.shape }}.
3. A stack, {{ z.shape }}.
///
"""


def value(text: str) -> str:
    style = "tr-value" if len(text) < 30 else "tr-value tr-parted"
    return f'<code class="{style}">{text}</code>'


def tracks(html: str) -> dict[str, str]:
    found = {}
    for kind, language, source in re.findall(
        r'<track kind="(\w+)" srclang="(\w+)"[^>]*base64,([^"]*)"', html
    ):
        found[f"{kind} {language}"] = base64.b64decode(source).decode()
    return found


def texts(track: str) -> list[str]:
    return [
        block.partition("\n")[2].partition("\n")[2] for block in track.strip().split("\n\n")[1:]
    ]


def metadata(html: str) -> list[Any]:
    return [json.loads(text) for text in texts(tracks(html)["metadata en"])]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("reshape:y.shape", "(3, 4)"),
        ("reshape:x.shape", "(12,)"),
        ("loop:s.shape", "()"),
        ("reshape:y.shape[1]", "4"),
        ("reshape:y.stride", "(4, 1)"),
        ("reshape:y.dtype", "int64"),
        ("reshape:z.numel", "12"),
        ("reshape:z.ndim", "3"),
        ("reshape:y.device", "cpu"),
        ("reshape:y.data", "[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]"),
        ("reshape:y.data[1]", "[4, 5, 6, 7]"),
        ("reshape:y.data[-1][0]", "8"),
        ("loop:t.data[0]", "[0.0, 0.33333334, 0.6666667, 1.0]"),
        ("loop:s.data", "22.0"),
        ("loop:s", "22.0"),
        ("loop:s | .2f", "22.00"),
        ("loop:t.data[0][1] | .0%", "33%"),
        ("reshape:z.numel | 4d", "  12"),
        ("loop:printed", "tensor(22.)"),
        ("loop:printed[0]", "tensor(22.)"),
        ("reshape:environment.torch", "2.13"),
        ("lesson.py:unsqueeze:a.shape", "(1, 3, 4)"),
        (" lesson.py : unsqueeze : a.shape ", "(1, 3, 4)"),
    ],
)
def test_a_reference_is_quoted_from_the_trace(root: Path, reference: str, text: str) -> None:
    html, problems = render(root, f"Its value: {{{{ {reference} }}}}.")
    assert html == f"<p>Its value: {value(text)}.</p>"
    assert problems == []


def test_only_what_is_long_may_be_parted_where_a_line_ends(root: Path) -> None:
    html, _ = render(root, "{{ reshape:y.shape }} {{ reshape:y.data }}")
    assert re.findall(r'<code class="([^"]*)">[([]', html) == ["tr-value", "tr-value tr-parted"]


def test_an_expression_is_quoted_as_code(root: Path) -> None:
    html, _ = render(root, "{{ reshape:y.expression }}")
    assert html == '<p><code class="tr-expression">x.reshape(3, 4)</code></p>'


def test_prose_reads_names_at_the_end_of_the_cell_above(root: Path) -> None:
    made = trace()
    again = replace(made.runs[4], changed={"y": 3})  # `y` is another tensor when unsqueeze ends
    made = replace(made, runs=(*made.runs[:4], again, *made.runs[5:]))
    write_artifacts(root / "course", made)
    text = f"{BLOCK}\n{{{{ y.shape }}}}\n\n/// clip | unsqueeze\n///\n\n{{{{ y.shape }}}}"
    html, problems = render(root / "course", text)
    assert problems == []
    after = [html.index(f"<p>{value(shape)}</p>") for shape in ("(3, 4)", "(1, 3, 4)")]
    assert after[0] < html.index('id="clip-unsqueeze"') < after[1]


def test_an_item_reads_names_after_its_statement(root: Path) -> None:
    made = trace()
    last = replace(made.runs[2], changed={"x": 2, "z": 2})
    made = replace(made, runs=(*made.runs[:2], last, *made.runs[3:]))
    write_artifacts(root / "course", made)
    text = (
        "/// clip | reshape\n\n" + "".join(f"{n}. {{{{ x.shape }}}}\n" for n in (1, 2, 3)) + "///"
    )
    html, _ = render(root / "course", text)
    assert texts(tracks(html)["captions en"]) == ["(12,)", "(12,)", "(2, 2, 3)"]


def test_attributes_of_tags_and_captions_get_plain_text(root: Path) -> None:
    html, _ = render(root, BLOCK + '\n\n[link](# "Shape {{ x.shape }}")')
    assert 'aria-label="A row: it folds into (3, 4)."' in html
    assert 'title="Shape (12,)"' in html
    assert texts(tracks(html)["captions en"]) == [
        "arange gives 12 numbers.",
        "A table, (3, 4).",
        "A stack, (2, 2, 3).",
    ]


def test_headings_and_their_anchors_hold_the_number(root: Path) -> None:
    html, _ = render(root, "## Shape {{ reshape:y.shape }}")
    assert html == f'<h2 id="shape-3-4">Shape {value("(3, 4)")}</h2>'


def code_of(text: str, root: Path, *extensions: str) -> tuple[str, list[Problem]]:
    html, problems = render(root, text, extensions=("tables", "toc", *extensions))
    (code,) = re.findall(r"<code[^>]*>(.*?)</code>", html)
    assert html.count("<code") == html.count("</code>") == 1
    return code, problems


@pytest.mark.parametrize("extensions", [(), ("pymdownx.highlight", "pymdownx.inlinehilite")])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("`y.view{{ reshape:x.shape }}`", "y.view(12,)"),
        ("``{{ reshape:y.shape }} {{ loop:s | .1f }}``", "(3, 4) 22.0"),
        ("`{{ reshape:y.expression }}`", "x.reshape(3, 4)"),
        (r"`\{{ x.shape }} {{ reshape:y.ndim }}`", "{{ x.shape }} 2"),
        (r"`\\{{`", r"\{{"),
        ("## `{{ reshape:y.shape }}`", "(3, 4)"),
        ("a | b\n--|--\n1 | `{{ loop:s | .1f }}`", "22.0"),
    ],
)
def test_a_code_span_quotes_plain_text(
    root: Path, text: str, code: str, extensions: tuple[str, ...]
) -> None:
    assert code_of(text, root, *extensions) == (code, [])


def test_what_a_code_span_quotes_is_escaped(root: Path) -> None:
    made = trace()
    said = replace(made.runs[-1], printed="<b>&amp;</b> `{{`\n")
    write_artifacts(root / "course", replace(made, runs=(*made.runs[:-1], said)))
    code, problems = code_of("`{{ loop:printed }}`", root / "course")
    assert (code, problems) == ("&lt;b&gt;&amp;amp;&lt;/b&gt; `{{`", [])


def test_code_spans_of_a_transcript_are_captions_too(root: Path) -> None:
    text = "/// clip | reshape\n\n1. `{{ x.shape }}`\n2. `\\{{ {{ y.shape }}`\n3. c\n///"
    html, problems = render(root, text)
    assert problems == []
    assert texts(tracks(html)["captions en"]) == ["(12,)", "{{ (3, 4)", "c"]
    assert "<code>{{ (3, 4)</code>" in html


@pytest.mark.parametrize(
    "text",
    [
        r"`\{{ x.shape }}`",
        r"``\{{ x.shape }} ` ``",
        r"\{{ x.shape }}",
        "```\n{{ x.shape }}\n/// clip | reshape\n///\n```",
        "    {{ x.shape }}\n\n    /// clip | reshape\n    ///",
        "~~~~ text\n~~~\n{{ x.shape }}\n~~~~",
    ],
)
def test_code_and_escapes_are_not_touched(root: Path, text: str) -> None:
    html, problems = render(root, text)
    assert problems == []
    assert "{{ x.shape }}" in re.sub(r"<[^>]*>", "", html)
    assert "tr-" not in html
    assert ("/// clip | reshape" in html) == ("/// clip" in text)


def test_the_figure_stands_without_a_script(root: Path) -> None:
    html, problems = render(root, BLOCK, clips_url="../clips")
    assert problems == []
    digest = "0" * 8
    assert f'src="../clips/shape/reshape-{digest}.mp4"' in html
    assert f'poster="../clips/shape/reshape-{digest}-opening.webp"' in html
    assert re.search(
        rf'href="../clips/shape/reshape-{digest}.gif" download>GIF <small>\d+ kB', html
    )
    assert '<video controls preload="none"' in html
    rows = re.findall(r'<li data-cues="(\d)" data-statement="(\d)" id="reshape-(\d)">', html)
    assert rows == [("1", "1", "1"), ("2", "2", "2"), ("3", "3", "3")]
    assert f"<strong>{value('12')}</strong>" in html


def test_code_is_one_element_a_line_with_the_shapes_it_made(root: Path) -> None:
    html, _ = render(root, BLOCK)
    code = html.partition("<code>")[2].partition("</code>")[0]
    lines = re.findall(
        r'<span class="tr-line" data-line="(\d)" data-statement="(\d)" data-cues="\d">'
        r'(.*?<span class="tr-shape">.*?)</span></span>',
        code,
    )
    assert [line[:2] for line in lines] == [("1", "1"), ("2", "2"), ("3", "3")]
    plain = [re.sub(r"<[^>]*>", "", line[2]).replace("&nbsp;", " ") for line in lines]
    assert plain == [
        "x = torch.arange(12)x (12,)",
        "y = x.reshape(3, 4)y (3, 4)",
        "z = x.reshape(2, 2, 3)z (2, 2, 3)",
    ]


def test_the_indent_of_a_line_is_one_element_and_can_be_copied(root: Path) -> None:
    html, _ = render(root, "/// clip | loop\n///")
    lines = re.findall(r'<span class="tr-text">(.*?)</span><span class="tr-shape">', html)
    indent = '<span class="tr-indent">    </span>'
    assert [line.startswith(indent) for line in lines] == [False, True, True, False]
    plain = [re.sub(r"<[^>]*>", "", line) for line in lines]
    assert plain == ["for i in range(2):", "    t = y / 3", "    s = t.sum()", "print(s)"]


def test_the_copy_button_knows_what_the_code_needs(root: Path) -> None:
    source = 'import torch\nhere = __file__ + ">"\n# %% reshape\nx = torch.arange(12)\n'
    write_artifacts(root / "course", replace(trace(), source=source))
    html, _ = render(root / "course", BLOCK)
    (above,) = re.findall(r'data-above="([^"]*)"', html)
    note, *lines = unescape(above).split("\n")
    assert note == "# Save this beside lessons/shape/lesson.py: it reads files there."
    assert lines == ["import torch", 'here = __file__ + ">"', "# %% reshape"]


@pytest.mark.parametrize(
    ("page", "text", "kept"),
    [
        (PAGE_JA, "形は {{ reshape:y.shape }} です。", 1),
        (PAGE_JA, "- 形は {{ reshape:y.shape }} です。\n- 数は `12` だ。", 2),
        (PAGE_JA, "形は {{ reshape:y.shape }} です。数も同じです。", 0),
        (PAGE_JA, "数は {{ reshape:y.numel }} 個あり、形は変わりません。", 1),
        (PAGE_JA, "ループは {{ reshape:y.numel }} 周します。次は `x` 層目。", 2),
        (PAGE, "`12` です。", 0),
    ],
)
def test_a_japanese_paragraph_does_not_end_with_a_line_of_two_letters(
    root: Path, page: str, text: str, kept: int
) -> None:
    html, _ = render(root, text, page)
    assert html.count('<span class="tr-together"><code') == kept


def test_a_number_is_not_parted_from_its_counter(root: Path) -> None:
    html, _ = render(root, '<b title="10 個">10 個</b>の点数', PAGE_JA)
    assert '<b title="10 個">10\N{NO-BREAK SPACE}個</b>の点数' in html


def test_tracks_hold_a_cue_for_each_cue_of_the_clip(root: Path) -> None:
    html, _ = render(root, BLOCK)
    found = tracks(html)
    assert set(found) == {"chapters en", "captions en", "captions ja", "metadata en"}
    assert {len(texts(track)) for track in found.values()} == {len(CUES["reshape"])}
    assert texts(found["chapters en"])[1] == "y = x.reshape(3, 4)"
    assert metadata(html)[1] == {
        "step": 2,
        "statement": 2,
        "lines": [2, 2],
        "lap": 1,
        "laps": 1,
        "changed": ["y"],
        "vars": [
            {"name": "y", "shape": [3, 4], "dtype": "int64", "data": printed(trace().values[1])},
            {
                "name": "x",
                "shape": [12],
                "dtype": "int64",
                "data": [str(each) for each in range(12)],
            },
        ],
    }


def test_metadata_of_a_loop_follows_its_laps(root: Path) -> None:
    html, _ = render(root, "/// clip | loop\n///")
    cues = metadata(html)
    assert [(cue["lap"], cue["laps"], cue["changed"]) for cue in cues] == [
        (1, 1, ["t"]),
        (1, 1, ["s"]),
        (2, 9, ["t"]),
        (1, 1, []),
    ]
    values = [{each["name"]: each.get("data") for each in cue["vars"]}.get("s") for cue in cues]
    assert values == [None, "nan", None, "22."]  # only where the line names it
    assert cues[0]["vars"][0]["data"][0][1] == "0.3333"


def test_captions_are_generated_in_both_languages(root: Path) -> None:
    html, problems = render(root, "/// clip | reshape\n///\n\n/// clip | unsqueeze\n///")
    assert problems == []
    first = tracks(html.partition('id="clip-unsqueeze"')[0])
    assert texts(first["captions en"])[:2] == [
        "arange makes x (12,).",
        "reshape keeps the 12 numbers in their order and gives them the shape (3, 4).",
    ]
    assert texts(first["captions ja"])[1] == (
        "reshape で、12\N{NO-BREAK SPACE}個の数の並び順はそのままに、形が (3, 4) になります。"
    )
    second = tracks(html.partition('id="clip-unsqueeze"')[2])
    assert texts(second["captions en"]) == [
        "unsqueeze adds a dimension of size 1: (3, 4) becomes (1, 3, 4).",
        "squeeze takes away a dimension of size 1: (1, 3, 4) becomes (3, 4).",
    ]
    assert "<span>unsqueeze adds a dimension of size 1" in html


def test_generated_captions_of_a_loop_name_the_lap(root: Path) -> None:
    html, _ = render(root, "/// clip | loop\n///", page=PAGE_JA)
    assert texts(tracks(html)["captions ja"]) == [
        "1\N{NO-BREAK SPACE}周目：/ で、y (3, 4) から t (3, 4) ができます。",
        "1\N{NO-BREAK SPACE}周目：sum で、t (3, 4) から s () ができます。",
        "2〜10\N{NO-BREAK SPACE}周目：/ で、y (3, 4) から t (3, 4) ができます。",
        "tensor(22.) と表示されます。",
    ]
    assert '<ol aria-label="1 行ずつの動き" class="tr-transcript">' in html.replace(
        'class="tr-transcript" aria-label="1 行ずつの動き"',
        'aria-label="1 行ずつの動き" class="tr-transcript"',
    )


def test_the_other_language_is_taken_from_its_page(root: Path) -> None:
    page = root / PAGE_JA
    page.parent.mkdir(parents=True)
    page.write_text(BLOCK.replace("A table", "表です"), encoding="utf-8")
    html, _ = render(root, BLOCK)
    assert texts(tracks(html)["captions en"])[1] == "A table, (3, 4)."
    assert texts(tracks(html)["captions ja"])[1] == "表です, (3, 4)."


def test_a_loop_has_a_nested_list(root: Path) -> None:
    nested = "    1. a third, {{ t.shape }}\n    2. the sum, {{ s.data }}\n"
    text = f"/// clip | loop\n\n1. Twice:\n{nested}2. Out.\n///"
    html, problems = render(root, text)
    assert problems == []
    assert re.findall(r'<li data-cues="([\d ]*)" data-statement="(\d)" id="loop-\2">', html) == [
        ("", "1"),
        ("1 3", "2"),
        ("2", "3"),
        ("4", "4"),
    ]
    assert texts(tracks(html)["captions en"])[2] == "Laps 2 to 10: a third, (3, 4)"


def test_laps_that_rush_by_have_one_caption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text that changes ten times a second cannot be read; the lines still light one by one."""
    rushing = [Cue(3 + i, 1 + i / 10, 1.1 + i / 10, 2 + i % 2, 2 + i // 2) for i in range(4)]
    monkeypatch.setitem(CUES, "loop", (*CUES["loop"][:2], *rushing, Cue(7, 1.4, 2, 4)))
    write_artifacts(tmp_path)
    html, _ = render(tmp_path, "/// clip | loop\n///")
    assert texts(tracks(html)["captions en"])[1:] == [
        "Lap 1: sum makes s () from t (3, 4).",
        "Laps 2 to 3: the same again.",
        "Prints tensor(22.).",
    ]
    assert "00:00:01.000 --> 00:00:01.400" in tracks(html)["captions en"]
    assert [each["step"] for each in metadata(html)] == [1, 2, 3, 4, 5, 6, 7]


TWO = "\n1. a\n2. b\n///"


def test_show_leaves_out_what_it_does_not_name(root: Path) -> None:
    video, _ = render(root, "/// clip | reshape\n    show: video\n///")
    poster, _ = render(root, "/// clip | reshape\n    show: poster\n    alt: {{ x.shape }}\n///")
    assert "<video" in video
    assert "tr-code" not in video
    assert "tr-transcript" not in video
    assert "<video" not in poster
    assert 'alt="(12,)" loading="lazy" width="320" height="200"' in poster


@pytest.mark.parametrize(
    ("text", "line", "what", "remedy"),
    [
        ("/// clip | reshap\n///", 1, "no cell 'reshap' in", "Did you mean 'reshape'?"),
        ("\n{{ reshape:yy.shape }}", 2, "called 'yy'", "There are: x, y, z."),
        ("{{ reshape:y.shape | .2f }}", 1, "format '.2f'", "{{ loss.last | .2f }}"),
        ("{{ reshape:error.type }}", 1, "no torch call of cell 'reshape' raised", "below the clip"),
        ("{{ reshape:printed }}", 1, "printed nothing", "a name"),
        ("{{ reshape:environment.recorded }}", 1, "tells no recorded", "accelerator"),
        ("{{ reshape:environment.devise }}", 1, "no 'devise'", "Did you mean 'device'?"),
        ("a\n{{ reshape:y.shap }}", 2, "no attribute 'shap'", "Did you mean 'shape'?"),
        ("{{ reshap:y.shape }}", 1, "no cell 'reshap'", "Did you mean 'reshape'?"),
        ("{{ other.py:cell:y.shape }}", 1, "no trace of lessons/shape/other.py", "torchreel build"),
        ("{{ y.shape }}", 1, "no clip above", "{{ cell:y.shape }}"),
        ("{{ reshape:y }}", 1, "is a tensor of 12 numbers", ".data, .shape"),
        ("{{ reshape:y[ }}", 1, "is no reference", r"\{{"),
        ("{{ reshape:y.shape", 1, "not closed on its line", r"\{{"),
        ("{{ unsqueeze:a.data }}", 1, "did not keep the values", ".shape"),
        ("{{ reshape:y.shape[2] }}", 1, "no such element", "(3, 4)"),
        ("{{ reshape:y.dtype[0] }}", 1, "no such element", "(3, 4)"),
        ("a `b\n{{ reshape:yy.shape }}`", 2, "called 'yy'", "There are: x, y, z."),
        ("`{{ y.shape }}`", 1, "no clip above", "{{ cell:y.shape }}"),
        ('`f"{{x}}"`', 1, "no clip above", r"Two braces in code are written `\{{`."),
        ("`{{ }}`", 1, "is no reference to a name", r"\{{"),
        ("`{{ reshape:y.shape`", 1, "not closed on its line", r"\{{"),
        ("/// clip | reshape\n    alt: {{ q.shape }}\n///", 2, "called 'q'", "x, y, z"),
        (f"/// clip | reshape\n{TWO}", 1, "2 items for 3 statements", "3. z = x.reshape(2, 2, 3)"),
        ("/// clip | reshape\n\n1. One.\n///", 1, "has 1 item for 3 statements", "3. z = x"),
        (f"/// clip | loop\n{TWO}", 1, "2 items for 4 statements", "        1. t = y / 3"),
        ("/// clip | reshape\n    spede: 2\n///", 2, "unknown option 'spede'", "alt"),
        ("text\n\n/// clip | reshape\n", 3, "not closed", "`///`"),
        ("text\n\n/// clap | reshape\n///", 3, "no block that any extension knows", "/// clip"),
        ("<div>\n/// clip | reshape\n///\n</div>", 2, "cannot stand here", "blank lines"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_with_its_line(
    root: Path, text: str, line: int, what: str, remedy: str
) -> None:
    broken: list[Problem] = []
    html, problems = render(root, f"{text}\n\nThe rest.", broken=broken.append)
    first = problems[0]
    assert first.where == f"{PAGE}:{line}"
    assert what in first.what
    assert remedy in first.remedy
    assert broken
    assert "<p>The rest.</p>" in html
    if "clap" not in text:
        assert len(problems) == 1
        assert "tr-problem" in html


def test_the_line_is_that_of_the_source_with_its_front_matter(root: Path) -> None:
    _, problems = render(root, "text\n\n{{ reshape:q.shape }}", first_line=5)
    assert problems[0].where == f"{PAGE}:7"


def test_a_moment_of_a_broken_block_is_not_reported_again(root: Path) -> None:
    html, problems = render(root, "/// clip | reshap\n///\n\n{{ x.shape }}")
    assert len(problems) == 1
    assert html.count("tr-problem") == 2


def test_a_failed_render_keeps_the_last_good_clip(root: Path) -> None:
    failed = Problem(SCRIPT, "the scene raised", "Mend it.")
    write_artifacts(root / "course", problems={Store.clip_key(SCRIPT, "reshape"): failed})
    broken: list[Problem] = []
    html, problems = render(root / "course", BLOCK, broken=broken.append)
    assert "<video" in html
    assert "the scene raised" in html
    assert (problems, broken) == ([], [failed])  # the build has reported it


def test_a_first_failure_leaves_a_placeholder(root: Path) -> None:
    failed = Problem(SCRIPT, "the scene raised", "Mend it.")
    without_clip(Store(root / "build"), "reshape", failed)
    html, problems = render(root, f"{BLOCK}\n\nAfter: {{{{ x.shape }}}}")
    assert '<div class="tr-problem" role="note">' in html
    assert "<video" not in html
    assert f"After: {value('(12,)')}" in html
    assert problems == []
