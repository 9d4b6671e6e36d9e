"""The site that a page is converted for, as its builder tells a Markdown extension."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import markdown


@dataclass(frozen=True)
class Host:
    """A site and the page that comes next.

    ``root`` holds the site's configuration, ``docs`` its pages, ``site`` what is published.
    ``page`` is the page's source, ``target`` its file relative to ``site``; ``language`` is that
    of the theme, ``log`` the name of the logger whose errors fail a strict build.
    """

    root: Path
    docs: Path
    site: Path
    page: Path
    target: str
    language: str
    log: str

    @classmethod
    def of(cls, md: markdown.Markdown) -> Host | None:
        """Return the host of this converter, or None where it is neither MkDocs nor Zensical.

        Both leave what they know of the page in a processor of their own.
        """
        known: Any
        if "relpath" in md.treeprocessors:
            known = md.treeprocessors["relpath"]
            return cls._mkdocs(known.file, known.config)
        if "rendering_context" in md.preprocessors:
            known = md.preprocessors["rendering_context"]
            return cls._zensical(known.page, known.config)
        return None

    @classmethod
    def _mkdocs(cls, file: Any, config: Any) -> Host:
        docs = Path(config["docs_dir"])
        return cls(
            root=Path(config["config_file_path"]).parent,
            docs=docs,
            site=Path(config["site_dir"]),
            page=Path(file.abs_src_path or docs / file.src_uri),
            target=file.dest_uri,
            language=config["theme"].get("language", "en"),
            log="mkdocs.torchreel",
        )

    @classmethod
    def _zensical(cls, page: Any, config: Any) -> Host:
        root = Path(config["root_dir"])
        docs = root / config["docs_dir"]
        return cls(
            root=root,
            docs=docs,
            site=root / config["site_dir"],
            page=docs / page.path,
            target=page.url,
            language=config["theme"].get("language", "en"),
            log="torchreel",
        )

    @property
    def up(self) -> str:
        """What leads from the page to the root of the site: ``../`` for each folder."""
        return "../" * self.target.count("/")
