"""The texts that the search of a site finds, as MkDocs writes them into ``search_index.json``."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any


def keep_texts(index: Path, published: Path, kept: Collection[str]) -> None:
    """Give the ``kept`` pages (files relative to the site) the texts that are ``published``.

    Rewrites ``index``; does nothing where no index was published yet.
    """
    if not published.is_file():
        return
    made: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
    old = json.loads(published.read_text(encoding="utf-8"))["docs"]
    new = [text for text in made["docs"] if _file(text["location"]) not in kept]
    made["docs"] = new + [text for text in old if _file(text["location"]) in kept]
    index.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")


def _file(location: str) -> str:
    """Return the file of a location: ``shape/#rows`` and ``shape/index.html`` are one page."""
    page = location.partition("#")[0]
    return f"{page}index.html" if page == "" or page.endswith("/") else page
