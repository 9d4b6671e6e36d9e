"""The command line: ``torchreel new | build | serve | animate | trace | status | doctor | clean``.

What a command needs is imported when it runs, so that help and errors come at once.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchreel.records import Problem, TorchReelError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

    from torchreel.mkdocs import TorchReelPlugin

QUALITIES = ("draft", "standard", "final")
ARTBOARDS = ("page", "film")
THEMES = ("dark", "light")
_QUALITY_HELP = (
    "how fine the clips are: draft is half the size with 15 frames a second, standard has "
    "30, final 60 (default: %(default)s)"
)
_LONGEST = 1_000_000
_SCRIPT_HELP = "a Python script that uses torch"
_HINT = "torchreel COMMAND --help says more. To begin with: torchreel animate SCRIPT.py"
_NO_FILE = "Is there room on the disk, and may torchreel read and write there?"


# In other projects build/ may hold what is not ours.
_GENERATED = ("traces", "clips", "index.json", "setup.log", ".site-*", ".index-*")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 1 where there is a problem.

    Without a command it shows the help and returns 2, as for one that is not there.
    """
    parser = _parser()
    own, script = _split(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(own)
    if script and options.run not in (animate, trace):
        parser.error("only `animate` and `trace` give a script what follows --")
    options.arguments = script
    if options.run is None:
        parser.print_help(sys.stderr)
        return 2
    _end_in_order()
    try:
        return int(options.run(options))
    except TorchReelError as error:
        problem = error.problem
    except OSError as error:
        place = error.filename2 or error.filename or ""
        problem = Problem(str(place), error.strerror or str(error), _NO_FILE)
    except KeyboardInterrupt:
        return 130
    from torchreel.report import print_problems, terminal

    print_problems(terminal(stderr=True), [problem])
    return 1


def new(options: argparse.Namespace) -> int:
    """Write a lesson to start from: a script, and a page in each language of the site."""
    from torchreel.nav import pages, with_page
    from torchreel.report import terminal
    from torchreel.starter import Starter

    file = _config_file(options)
    config = _load(file, options)
    docs = Path(config.docs_dir)
    starter = Starter.of(options.lesson, options.title, _languages(config))
    folder = docs / starter.name
    shown = _shown(folder)
    starter.write(folder, shown)
    say = terminal().print
    say(f"{shown}/: {', '.join(starter.files())}", soft_wrap=True)
    text, page = file.read_bytes().decode("utf-8"), f"{starter.name}/index.md"
    listed = pages(text)
    if listed:
        longer = with_page(text, page, lambda name: (docs / name).with_name("lesson.py").is_file())
        if longer:
            _replace(file, longer)
            say(f"{options.config}: {page} is now in `nav`, after the last lesson")
        else:
            say(f"{options.config}: add this line to `nav`, where the lesson belongs: - {page}")
    if "torchreel" not in (*config.plugins, *config.markdown_extensions):
        say(f"{options.config}: add `- torchreel` under `plugins` and `markdown_extensions`")
    say("Now run `torchreel serve`: what you save there is filmed again.")
    return 0


def build(options: argparse.Namespace) -> int:
    """Run and film what is new, then write the whole site into site/.

    Whatever is wrong is said at the end with its file and line, and the exit status is then 1;
    pages with a problem stay as they were.
    """
    from mkdocs.commands.build import build as build_site
    from mkdocs.exceptions import Abort

    from torchreel.report import print_problems, print_warnings, table, terminal

    file, status = _config_file(options), 0
    with _mkdocs_log(problems=False):
        config = _load(file, options)
        plugin = _plugin(config, options)
        config.plugins.on_startup(command="build", dirty=False)
        try:
            build_site(config)
        except Abort as error:
            status = 1
            print(error.format_message(), file=sys.stderr)
        finally:
            config.plugins.on_shutdown()
    if plugin.made is not None:
        console = terminal()
        console.print(table(plugin.made))
        print_warnings(console, plugin.made.warnings)
        print_problems(console, plugin.made.problems)
        status = status or int(bool(plugin.made.problems))
    return status


def serve(options: argparse.Namespace) -> int:
    """Show the site on this machine, and build again whatever you save.

    Open the address that it prints in a browser: pages reload by themselves. Ctrl+C ends it.
    """
    from mkdocs.commands.serve import serve as serve_site

    file = _config_file(options)
    with _mkdocs_log(problems=True):
        _check_address(*_load(file, options, dev_addr=options.address).dev_addr)
        serve_site(config_file=str(file), dev_addr=options.address)
    return 0


def animate(options: argparse.Namespace) -> int:
    """Film a script: its cells one after the other, in one file, or as stills in a folder.

    A line "# %% name" in the script starts a cell; without such lines the script is one cell. To
    begin with: torchreel animate script.py -o film.gif
    """
    from rich.markup import escape

    from torchreel.plan.film import film
    from torchreel.render.job import Look
    from torchreel.report import Terminal, print_problems, print_warnings, terminal
    from torchreel.site.words import counted

    if options.script.is_dir():
        remedy = "Name a script in it: torchreel animate script.py."
        raise TorchReelError(Problem(str(options.script), "this is a folder, not a script", remedy))
    out = options.output or Path(options.script.name).with_suffix(".mp4")
    if out.suffix not in (".mp4", ".gif", "") or (not out.suffix and out.is_file()):
        what = "a film is an .mp4, a .gif or a folder of stills"
        remedy = "Write -o film.mp4, -o film.gif, or -o stills for a folder."
        raise TorchReelError(Problem(str(out), what, remedy))
    look = Look(options.artboard, options.theme, options.quality)
    with Terminal() as progress:
        made = film(
            options.script,
            out,
            look=look,
            cell=options.cell,
            timeout=options.timeout,
            arguments=options.arguments,
            progress=progress,
        )
    said = f"{made.length:.1f} s, {out.stat().st_size / 1000:.0f} kB"
    terminal().print(f"{made.path}: {said if out.suffix else counted(round(made.length), 'still')}")
    console = terminal(stderr=True)
    if made.said:
        console.print(f"What {options.script.name} wrote to stderr, the last of it:", style="dim")
    for line in made.said:
        console.print(f"    {escape(line)}", soft_wrap=True)
    print_warnings(console, made.warnings)
    if made.problem:
        print_problems(console, [made.problem])
    return 1 if made.problem else 0


def trace(options: argparse.Namespace) -> int:
    """Run a script and list what torch did: a row for each op, with shapes, memory and device.

    It runs as python SCRIPT would, from this folder: what it writes goes to stderr as it comes, and
    its exit status is the command's. What other threads and processes do is not seen. Of a long
    loop the laps 1 to 3, 10, 30, 100 and so on are seen whole; of those between them only the
    single numbers, such as a loss, are kept.
    """
    from torchreel.plan.recordings import record
    from torchreel.plan.traces import raised
    from torchreel.report import print_problems, terminal
    from torchreel.store import put_trace, trace_json
    from torchreel.summary import summary
    from torchreel.tracer import trace_script

    end = bytearray(b"\n")

    def hear(chunk: bytes) -> None:
        sys.stderr.buffer.write(chunk)
        sys.stderr.buffer.flush()
        end[:] = chunk[-1:]

    made = trace_script(
        options.script,
        root=Path.cwd(),
        timeout=options.timeout,
        hear=hear,
        arguments=options.arguments,
    )
    if end != b"\n":
        print(file=sys.stderr)
    if options.output is not None:
        put_trace(made, options.output)
    if options.record and not made.error:
        folder = record(made, options.script, date.today().isoformat())
        print(f"recorded in {_shown(folder.resolve())}/", file=sys.stderr)
    if options.json:
        sys.stdout.buffer.write(trace_json(made))
    else:
        console = terminal()
        for line in summary(made, console.width):
            console.print(line, soft_wrap=True)
    if made.error:
        print_problems(terminal(stderr=True), [raised(made)])
    return made.error.status if made.error else 0


def status(options: argparse.Namespace) -> int:
    """Say which traces and clips the next build will make, and why; nothing is made."""
    from rich.markup import escape

    from torchreel.plan import Project
    from torchreel.plan import status as plan_status
    from torchreel.report import name_of, terminal, told

    console = terminal()
    file = _config_file(options)
    project = Project.of(file.parent, Path(_load(file, options).docs_dir))
    found = plan_status(project, quality=options.quality)
    stale = [outcome for outcome in found if outcome.state == "stale"]
    for outcome in stale:
        console.print(f"{name_of(outcome.key)}: {escape(told(outcome.why))}", soft_wrap=True)
    if not stale:
        console.print(f"Nothing is stale: {len(found)} traces and clips are as their sources.")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Say what is missing on this machine, and how to get it.

    The exit status is 1 where something is missing that a build needs.
    """
    from torchreel.doctor import run

    return run()


def clean(options: argparse.Namespace) -> int:
    """Remove what was generated: traces and clips in build/, and all of site/."""
    root = _root(options)
    for folder, names in ((root / "build", _GENERATED), (root / "site", ("*",))):
        for path in {path for name in names for path in folder.glob(name)}:
            if path.name == ".gitignore":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchreel",
        description="Animated PyTorch lessons, drawn from what torch really did.",
        epilog=_HINT,
    )
    parser.add_argument("--version", action="version", version=f"torchreel {version('torchreel')}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(run: Any) -> argparse.ArgumentParser:
        text = run.__doc__
        made = commands.add_parser(run.__name__, help=text.splitlines()[0], description=text)
        made.set_defaults(run=run)
        return made

    def course(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "-f",
            "--config",
            default="mkdocs.yml",
            metavar="FILE",
            help="the settings of the site (default: %(default)s)",
        )

    def quality(made: argparse.ArgumentParser) -> None:
        made.add_argument("--quality", choices=QUALITIES, default="standard", help=_QUALITY_HELP)

    def timeout(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--timeout",
            type=_seconds,
            default=600,
            metavar="SECONDS",
            help="end the script when it takes longer (default: %(default)s)",
        )

    def arguments(made: argparse.ArgumentParser) -> None:
        made.usage = f"{made.format_usage().removeprefix('usage: ').rstrip()} [-- ARGUMENT ...]"
        made.epilog = (
            "What follows -- is given to the script, as python SCRIPT.py ARGUMENT ... would: "
            f"{made.prog} train.py -- --epochs 2"
        )

    made = command(new)
    made.add_argument(
        "lesson",
        metavar="LESSON",
        help="the name of its new folder: small letters and digits, such as my-lesson",
    )
    made.add_argument("--title", help="the title of its pages (default: My lesson for my-lesson)")
    course(made)
    made = command(build)
    course(made)
    quality(made)
    timeout(made)
    made = command(serve)
    course(made)
    made.add_argument(
        "-a", "--address", metavar="HOST:PORT", help="where to serve (default: 127.0.0.1:8000)"
    )
    made = command(animate)
    made.add_argument("script", type=Path, metavar="SCRIPT", help=_SCRIPT_HELP)
    made.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the .mp4 or .gif to write, or a folder for stills: a picture of the end of each "
        "line, and sheets of small frames (default: the script's name with .mp4, in this folder)",
    )
    made.add_argument("--cell", metavar="NAME", help="only this cell")
    made.add_argument(
        "--artboard",
        choices=ARTBOARDS,
        default="film",
        help="film is 1920x1080 with the code, page 1280x800 without (default: %(default)s)",
    )
    made.add_argument(
        "--theme", choices=THEMES, default="dark", help="the colours (default: %(default)s)"
    )
    quality(made)
    timeout(made)
    arguments(made)
    made = command(trace)
    made.add_argument("script", type=Path, metavar="SCRIPT", help=_SCRIPT_HELP)
    made.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="also write the trace there: trace.json (what ran) and values.safetensors (numbers)",
    )
    made.add_argument(
        "--record",
        action="store_true",
        help="also keep the trace with its lesson, in the folder recorded beside the script: a "
        "build shows it, with its device and date, on a machine without an accelerator",
    )
    made.add_argument(
        "--json",
        action="store_true",
        help="print the whole trace as JSON instead, numbers included: for programs",
    )
    timeout(made)
    arguments(made)
    made = command(status)
    course(made)
    quality(made)
    command(doctor)
    course(command(clean))
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what is said to torchreel, and what is said to the script: what follows ``--``."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return list(arguments[:at]), list(arguments[at + 1 :])


def _seconds(text: str) -> float:
    """Return a time limit; raises ArgumentTypeError where no limit can be made of a text."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds above 0 and up to {_LONGEST}"
        )
    return seconds


def _end_in_order() -> None:
    """Let the signals that end a command do it as Ctrl+C does: what it started ends with it."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), leave)


def _config_file(options: argparse.Namespace) -> Path:
    file = Path(options.config)
    if not file.is_file():
        raise TorchReelError(
            Problem(
                options.config,
                "there is no such file",
                "Run this in the folder of a site, or name its mkdocs.yml with --config. To film a "
                "script without a site: torchreel animate SCRIPT.py.",
            )
        )
    return file


def _root(options: argparse.Namespace) -> Path:
    return _config_file(options).resolve().parent


def _check_address(host: str, port: int) -> None:
    """Raise where nothing can be served: before the first build, which may take long."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        what = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        remedy = "Choose another with --address HOST:PORT."
        raise TorchReelError(Problem(f"{host}:{port}", what, remedy)) from error


def _load(file: Path, options: argparse.Namespace, **settings: Any) -> MkDocsConfig:
    """Return a site's settings, strict; what is wrong with them is a TorchReelError."""
    from mkdocs.config import load_config
    from mkdocs.exceptions import ConfigurationError

    try:
        return load_config(config_file=str(file), strict=True, **settings)
    except ConfigurationError as error:
        raise TorchReelError(Problem(options.config, error.format_message())) from error


def _languages(config: MkDocsConfig) -> list[str]:
    """Return the languages of a site, that of pages without a suffix first."""
    i18n = config.plugins.get("i18n")
    languages = list(i18n.config.languages) if i18n else []
    if not languages:
        return [str(config.theme.get("language", "en"))]
    return [each.locale for each in sorted(languages, key=lambda each: not each.default)]


def _shown(path: Path) -> str:
    """Return a path as it is written in messages: from here where it is below."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _replace(file: Path, text: str) -> None:
    """Write a file in one step: a killed command leaves the old one whole."""
    scratch = file.with_name(f".{file.name}.new")
    scratch.write_bytes(text.encode("utf-8"))
    shutil.copymode(file, scratch)
    scratch.replace(file)


def _plugin(config: MkDocsConfig, options: argparse.Namespace) -> TorchReelPlugin:
    """Return the course's plugin, told the quality and the time limit that were asked for."""
    from torchreel.mkdocs import TorchReelPlugin

    plugin = config.plugins.get("torchreel")
    if not isinstance(plugin, TorchReelPlugin):
        what = "the plugin `torchreel` is not among the site's plugins"
        remedy = "Add `- torchreel` under `plugins:`, or run `mkdocs build` instead."
        raise TorchReelError(Problem(options.config, what, remedy))
    plugin.config.quality = options.quality
    plugin.config.timeout = options.timeout
    return plugin


@contextmanager
def _mkdocs_log(*, problems: bool) -> Iterator[None]:
    """Let MkDocs say on stderr what it says when it is run by itself.

    Without ``problems`` the plugin's own are left out: a build says them at its very end.
    """
    from mkdocs.__main__ import State

    state = State()  # type: ignore[no-untyped-call]
    state.stream.addFilter(lambda record: problems or record.name != "mkdocs.plugins.torchreel")
    try:
        yield
    finally:
        state.logger.removeHandler(state.stream)
