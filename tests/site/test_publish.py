from __future__ import annotations

import json
from pathlib import Path

import pytest

from torchreel.site.publish import publish


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


OLD = {"index.html": "old", "a/b/gone.html": "old", "page/index.html": "old", ".gitignore": "*"}
NEW = {"index.html": "new", "page/index.html": "new", "clips/c.mp4": "new", ".x": "hidden"}


def test_a_good_build_becomes_the_site_exactly(tmp_path: Path) -> None:
    site = write(tmp_path / "site", OLD)
    publish(write(tmp_path / "built", NEW), site)
    expected = dict.fromkeys(("index.html", "page/index.html", "clips/c.mp4"), "new")
    assert read(site) == {**expected, ".gitignore": "*"}
    assert not (site / "a").exists()


def test_with_problems_nothing_is_lost(tmp_path: Path) -> None:
    site = write(tmp_path / "site", OLD)
    publish(write(tmp_path / "built", NEW), site, {"page/index.html", "clips/c.mp4"})
    assert read(site) == {**OLD, "index.html": "new", "clips/c.mp4": "new"}


def test_a_broken_page_is_published_where_there_was_none(tmp_path: Path) -> None:
    publish(write(tmp_path / "built", NEW), tmp_path / "site", {"page/index.html"})
    assert read(tmp_path / "site")["page/index.html"] == "new"


@pytest.mark.parametrize("old", [{"a": "file"}, {"a/b": "in a folder"}])
def test_a_folder_takes_the_place_of_a_file_and_back(tmp_path: Path, old: dict[str, str]) -> None:
    site = write(tmp_path / "site", old)
    new = {"a/c": "new"} if "a" in old else {"a": "new"}
    publish(write(tmp_path / "built", new), site)
    assert read(site) == new


def test_an_equal_file_is_left_alone(tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"index.html": "same"})
    before = (site / "index.html").stat().st_mtime_ns
    publish(write(tmp_path / "built", {"index.html": "same"}), site)
    assert (site / "index.html").stat().st_mtime_ns == before


@pytest.mark.parametrize("page", ["shape/", "shape/index.html"])
def test_the_search_finds_the_old_words_of_a_page_that_stays(tmp_path: Path, page: str) -> None:
    def index(shape: str, home: str) -> str:
        texts = {page: shape, f"{page}#rows": shape, "": home}
        docs = [{"location": place, "text": text} for place, text in texts.items()]
        return json.dumps({"config": {}, "docs": docs})

    names = ("shape/index.html", "search/search_index.json")
    site = write(tmp_path / "site", dict(zip(names, ("old", index("old 形", "old")), strict=True)))
    built = write(tmp_path / "built", dict(zip(names, ("!", index("!", "new")), strict=True)))
    publish(built, site, {"shape/index.html"})
    found = json.loads(read(site)["search/search_index.json"])["docs"]
    assert {each["location"]: each["text"] for each in found} == {
        page: "old 形",
        f"{page}#rows": "old 形",
        "": "new",
    }
