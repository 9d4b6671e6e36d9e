"""``torchreel new``: what it writes builds at once, in the languages of the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.command import torchreel
from torchreel.records import TorchReelError
from torchreel.starter import Starter

CONFIG = """\
site_name: Small
docs_dir: lessons
theme: {name: material, font: false}
nav:
  - index.md
  - Lessons:
      - old/index.md  # the first
  - about.md
plugins:
  - torchreel: {quality: draft}
  - i18n:
      docs_structure: suffix
      reconfigure_material: false
      languages:
        - {locale: en, name: English, default: true, build: true}
        - {locale: ja, name: 日本語, build: true}
validation: {omitted_files: warn, anchors: warn, unrecognized_links: warn}
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small course in two languages that a lesson was added to and built, and what `new` said."""
    pages = {f"lessons/{name}.md": f"# {name}\n" for name in ("index", "about", "old/index")}
    script = {"lessons/old/lesson.py": "import torch\n"}
    root = write(tmp_path_factory.mktemp("new"), {"mkdocs.yml": CONFIG, **pages, **script})
    ran = torchreel("new", "two-words", folder=root)
    assert (ran.returncode, ran.stderr) == (0, "")
    built = torchreel("build", "--quality", "draft", folder=root)
    assert built.returncode == 0, built.stdout + built.stderr
    return root, ran.stdout


def test_a_new_lesson_builds_at_once_in_both_languages(made: tuple[Path, str]) -> None:
    root, _ = made
    for page, words in (
        ("two-words/index.html", ("folds into a table", "All of them together are")),
        ("ja/two-words/index.html", ("折りたたまれる", "全部足すと")),
    ):
        html = (root / "site" / page).read_text(encoding="utf-8")
        assert html.count("<video") == 2
        assert all(word in html for word in words)
        assert "tr-problem" not in html
        assert "{{" not in html
        values = re.findall(r'<code class="tr-value">(.*?)</code>', html)
        assert {"(6,)", "[[0, 1, 2], [3, 4, 5]]", "30"} <= set(values)


def test_it_is_in_the_navigation_after_the_last_lesson(made: tuple[Path, str]) -> None:
    root, said = made
    text = (root / "mkdocs.yml").read_text(encoding="utf-8")
    line = "      - two-words/index.md\n"
    assert text.replace(line, "") == CONFIG
    assert f"# the first\n{line}" in text
    assert said.splitlines() == [
        "lessons/two-words/: lesson.py, index.md, index.ja.md",
        "mkdocs.yml: two-words/index.md is now in `nav`, after the last lesson",
        "Now run `torchreel serve`: what you save there is filmed again.",
    ]


def test_a_lesson_that_is_there_stays_as_it_is(made: tuple[Path, str]) -> None:
    root, _ = made
    before = {path: path.read_bytes() for path in root.rglob("lessons/two-words/*")}
    config = (root / "mkdocs.yml").read_bytes()
    ran = torchreel("new", "two-words", folder=root)
    assert ran.returncode == 1
    assert "lessons/two-words: there is something of this name already" in ran.stderr
    assert {path: path.read_bytes() for path in root.rglob("lessons/two-words/*")} == before
    assert (root / "mkdocs.yml").read_bytes() == config


@pytest.mark.parametrize(
    ("config", "files", "said"),
    [
        ("site_name: x\n", ("index.md", "lesson.py"), "add `- torchreel` under `plugins`"),
        (
            "site_name: x\nnav: [index.md]\nmarkdown_extensions: [torchreel]\n",
            ("index.md", "lesson.py"),
            "add this line to `nav`, where the lesson belongs: - box/index.md",
        ),
        (
            "site_name: x\ntheme: {name: material, language: ja}\nplugins: [torchreel]\n",
            ("index.md", "lesson.py"),
            "docs/box/: lesson.py, index.md",
        ),
    ],
)
def test_other_sites_are_told_what_is_left_to_do(
    tmp_path: Path, config: str, files: tuple[str, ...], said: str
) -> None:
    write(tmp_path, {"mkdocs.yml": config, "docs/index.md": "# Home\n"})
    ran = torchreel("new", "box", "--title", "A: b", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout
    assert (tmp_path / "mkdocs.yml").read_text(encoding="utf-8") == config
    assert sorted(path.name for path in (tmp_path / "docs/box").iterdir()) == list(files)
    page = (tmp_path / "docs/box/index.md").read_text(encoding="utf-8")
    assert yaml.safe_load(page.split("---\n")[1])["title"] == "A: b"
    assert ("折りたたみ" in page) == ("language: ja" in config)


@pytest.mark.parametrize("name", ["My lesson", "../up", "a/b", "UPPER", "-x", "", "日本語"])
def test_a_bad_name_is_told_with_a_good_one(name: str) -> None:
    with pytest.raises(TorchReelError) as raised:
        Starter.of(name, None, ["en"])
    good = raised.value.problem.remedy.split()[-1].rstrip(".")
    assert Starter.of(good, None, ["en"]).name == good
