"""The workflow that publishes the site runs the two commands of the README, with few rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    loaded: dict[Any, Any] = yaml.safe_load(text)
    return loaded


def test_it_runs_the_commands_of_the_readme(workflow: dict[Any, Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for job, command in (("test", "make test"), ("build", "make build")):
        assert command in readme
        assert command in [step.get("run") for step in workflow["jobs"][job]["steps"]]


def test_only_what_is_tested_and_on_main_is_published(workflow: dict[Any, Any]) -> None:
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == {"test", "build"}
    assert publish["if"] == "github.ref == 'refs/heads/main'"


def test_only_the_publishing_job_may_write(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        rights = set((job.get("permissions") or {}).values())
        assert ("write" in rights) == (name == "publish")


def test_the_published_folder_is_what_the_build_writes(workflow: dict[Any, Any]) -> None:
    uploads = [
        step["with"]["path"]
        for step in workflow["jobs"]["build"]["steps"]
        if "upload-pages-artifact" in step.get("uses", "")
    ]
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert uploads == ["site"]
    assert "site_dir" not in config  # MkDocs' own name for it is `site`
    assert "SITE_URL" in config
