"""The MkDocs plugin: makes what is stale before the pages are rendered, then publishes the site.

Thin on purpose: what a page shows is the business of the Markdown extension.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.config.config_options import ExtraScriptValue
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import CountHandler, get_relative_url

from torchreel import plan
from torchreel.records import Problem, TorchReelError
from torchreel.report import Terminal
from torchreel.site.artifacts import ClipFiles
from torchreel.site.assets import assets
from torchreel.site.byterange import with_ranges
from torchreel.site.embedding import clip_file
from torchreel.site.publish import publish
from torchreel.site.source import LESSON_SCRIPT, front_matter

log = get_plugin_logger("torchreel")

_NAME = "torchreel"
_KINDS = ("mp4", "gif", "poster", "opening")


class TorchReelConfig(Config):  # type: ignore[no-untyped-call]
    """The plugin's options: ``quality`` of the clips: ``draft``, ``standard`` or ``final``;
    ``timeout``: how many seconds a script may take."""

    quality = config_options.Choice(("draft", "standard", "final"), default="standard")
    timeout = config_options.Type((int, float), default=600)


class TorchReelPlugin(BasePlugin[TorchReelConfig]):  # type: ignore[no-untyped-call]
    """Builds what pages embed, gives the extension its page, publishes, serves byte ranges.

    ``made`` is what the last build made, None where it did not come so far.
    """

    def __init__(self) -> None:
        self.made: plan.Build | None = None
        self._staged = True
        self._site: _Site | None = None
        self._numbers: dict[str, int] = {}

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Note whether the site is built aside first; a dirty build writes only what changed."""
        self._staged = command != "serve" and not dirty

    def on_config(self, config: MkDocsConfig) -> None:
        """Start a build; those of other languages run inside it, with the same config."""
        if self._site and self._site.config is config and self._site.depth:
            return
        self.made = None
        self._site = _Site(config, self._staged)
        if _NAME not in config.markdown_extensions:
            config.markdown_extensions.append(_NAME)
        style, player = assets()
        config.extra_css.insert(0, f"assets/{style}")
        script = ExtraScriptValue(f"assets/{player}")
        script.defer = True
        config.extra_javascript.insert(0, script)

    def on_pre_build(self, *, config: MkDocsConfig) -> None:
        """Make what is stale, once for all languages."""
        site = self._building
        if not site.depth:
            options: Any = {"quality": self.config.quality, "timeout": self.config.timeout}
            try:
                with Terminal() as progress:
                    self.made = plan.build(site.project, progress=progress, **options)
            except TorchReelError as error:
                raise PluginError(f"✗ {error}") from error
            for problem in self.made.problems:
                site.report(problem)
            for warning in self.made.warnings:
                # Not a warning of MkDocs', which would end a strict build: a person looks at it.
                log.info("%s", warning)

    def on_files(self, files: Files, *, config: MkDocsConfig) -> None:
        """Keep scripts, what Python leaves behind and recorded traces out of the site."""
        for file in list(files):
            recorded = file.src_uri.split("/")[-3:-2] == [plan.RECORDED]
            hidden = (".json", ".safetensors") if recorded else (".py", ".pyc")
            if file.src_uri.endswith(hidden):
                files.remove(file)

    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> None:
        """Number the lessons in the order of the navigation: pages with a script beside them."""
        sources = [_source(page.file, config) for page in nav.pages]
        lessons = [source.parent for source in sources if _is_lesson(source)]
        self._numbers = {
            self._building.project.relative(folder): number
            for number, folder in enumerate(dict.fromkeys(lessons), 1)
        }

    def on_page_markdown(
        self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files
    ) -> None:
        """Tell the extension which page comes next."""
        site = self._building
        target = Path(page.file.abs_dest_path).relative_to(config.site_dir).as_posix()
        source = site.project.relative(_source(page.file, config))
        page.meta["lesson"] = self._numbers.get(source.rpartition("/")[0])

        def used(files: ClipFiles, alt: str) -> None:
            site.use(files)
            page.meta.setdefault("clip", _clip_meta(files, alt))

        config.mdx_configs[_NAME] = {
            "page": source,
            "project": str(site.project.root),
            "clips_url": get_relative_url("clips", page.url),
            "first_line": front_matter(page.file.content_string).count("\n") + 1,
            "numbers": self._numbers,
            "report": site.report,
            "used": used,
            "broken": lambda problem: site.broken.add(target),
            "language": site.language,
        }

    def on_post_template(
        self, output_content: str, *, template_name: str, config: MkDocsConfig
    ) -> str:
        """Keep the first language's page for lost readers: other languages would write over it."""
        return "" if template_name == "404.html" and self._building.depth else output_content

    @event_priority(100)
    def _on_post_build_first(self, *, config: MkDocsConfig) -> None:
        # The builds of other languages run in the middle of this event. They are not strict, or
        # one warning would end them half way; the outermost build counts their warnings too.
        self._building.depth += 1
        config.strict = False

    @event_priority(-200)
    def _on_post_build_last(self, *, config: MkDocsConfig) -> None:
        site = self._building
        site.depth -= 1
        if site.depth:
            return
        site.finish()
        if self.made:
            self.made = replace(self.made, problems=tuple(site.problems))

    on_post_build = CombinedEvent(_on_post_build_first, _on_post_build_last)

    def on_build_error(self, *, error: Exception) -> None:
        """Leave the published site as it was."""
        if self._site:
            self._site.close()

    def on_shutdown(self) -> None:
        """Leave nothing behind where a build was interrupted."""
        if self._site:
            self._site.close()

    def on_serve(
        self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Callable[..., Any]
    ) -> None:
        """Watch what clips are made from, and let browsers seek."""
        for folder in (self._building.project.scenes, _stage_folder()):
            if folder.is_dir():
                server.watch(str(folder))
        if application := server.get_app():
            server.set_app(with_ranges(application))

    @property
    def _building(self) -> _Site:
        assert self._site is not None, "on_config comes first"
        return self._site


class _Site:
    """One build of the site, with the builds of its other languages inside.

    It is built in a folder aside and published at the very end, unless not ``staged``. ``depth``
    counts the post-build events that are under way, ``broken`` holds the pages with a placeholder.
    ``language`` is that of pages without a suffix: what the theme speaks before a build of another
    language changes it.
    """

    def __init__(self, config: MkDocsConfig, staged: bool) -> None:
        self.config = config
        self.project = plan.Project.of(Path(config.config_file_path).parent, Path(config.docs_dir))
        self.language = str(config.theme.get("language", "en"))
        self.depth = 0
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self._clips: dict[str, ClipFiles] = {}
        self._published, self._strict = Path(config.site_dir), config.strict
        self._warnings = _count_warnings()
        self._scratch: Path | None = None
        if staged:
            self.project.build.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(dir=self.project.build, prefix=".site-"))
            config.site_dir = str(self._scratch)

    def report(self, problem: Problem) -> None:
        """Note a problem; the pages of a clip find the same one."""
        if problem not in self.problems:
            self.problems.append(problem)

    def use(self, files: ClipFiles) -> None:
        """Note a clip that a page shows."""
        self._clips[files.clip.digest] = files

    def finish(self) -> None:
        """Complete the site with what is not a page, say what is wrong, publish."""
        self._copy_assets()
        self._copy_sitemaps()
        for problem in self.problems:
            log.error("%s", problem)
        if self._scratch:
            publish(self._scratch, self._published, self._kept(self._scratch))
        self.close()

    def _kept(self, built: Path) -> set[str] | None:
        """Return the files that stay as they were published, or None where all is well.

        What MkDocs itself warns of, such as a broken link, fails a strict build, and it does not
        say on which page: then every page stays.
        """
        if self._strict and self._warnings.get_counts():
            return {path.relative_to(built).as_posix() for path in built.rglob("*")}
        return self.broken if self.problems else None

    def close(self) -> None:
        """Forget the folder aside; the config is again as it was."""
        self.config.site_dir, self.config.strict = str(self._published), self._strict
        logging.getLogger("mkdocs").removeHandler(self._warnings)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _copy_assets(self) -> None:
        site = Path(self.config.site_dir)
        (site / "assets").mkdir(parents=True, exist_ok=True)
        for name, text in assets().items():
            (site / "assets" / name).write_text(text, encoding="utf-8")
        for files in self._clips.values():
            for kind in _KINDS:
                target = site / "clips" / clip_file(files, kind)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(files.path(kind), target)

    def _copy_sitemaps(self) -> None:
        """Material asks for a sitemap in the folder of the page's language."""
        site = Path(self.config.site_dir)
        for alternate in self.config.extra.get("alternate", ()):
            folder = site / str(alternate.get("lang", ""))
            if folder != site and folder.is_dir() and (site / "sitemap.xml").is_file():
                shutil.copyfile(site / "sitemap.xml", folder / "sitemap.xml")


def _count_warnings() -> CountHandler:
    """Return a handler that counts what others than this plugin warn of, as MkDocs counts it."""
    handler = CountHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(lambda record: record.name != f"mkdocs.plugins.{_NAME}")
    logging.getLogger("mkdocs").addHandler(handler)
    return handler


def _clip_meta(files: ClipFiles, alt: str) -> dict[str, Any]:
    """Return what a theme tells other sites of a page's first clip; paths from the site's root."""
    size = {"width": files.clip.width, "height": files.clip.height, "alt": alt}
    return {kind: f"clips/{clip_file(files, kind)}" for kind in ("mp4", "poster")} | size


def _source(file: File, config: MkDocsConfig) -> Path:
    """Return where a page's source is, or where it would be if a plugin had not generated it."""
    return Path(file.abs_src_path or Path(config.docs_dir) / file.src_uri).resolve()


def _is_lesson(page: Path) -> bool:
    return page.with_name(LESSON_SCRIPT).is_file()


def _stage_folder() -> Path:
    return Path(__file__).parent / "stage"
