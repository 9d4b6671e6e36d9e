"""The commands, run as a reader runs them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.command import torchreel
from torchreel import cli
from torchreel.render.job import QUALITIES, STILLS
from torchreel.stage.artboard import ARTBOARDS
from torchreel.stage.colors import THEMES
from torchreel.store import read_trace

COMMANDS = ("new", "build", "serve", "animate", "trace", "status", "doctor", "clean")
SCRIPT = """import torch

# %% pair
x = torch.arange(4)
y = x.reshape(2, 2)

# %% single
s = torch.ones(1)
"""
PAGE = "# Small\n\n/// clip | pair\n///\n\n/// clip | single\n///\n"
CONFIG = """site_name: Small
docs_dir: lessons
site_dir: site
theme: {name: mkdocs}
plugins: [torchreel]
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small course that ``torchreel build`` has built, and what that said."""
    root = tmp_path_factory.mktemp("cli")
    (root / "lessons/small").mkdir(parents=True)
    (root / "mkdocs.yml").write_text(CONFIG)
    (root / "lessons/index.md").write_text("# Home\n")
    (root / "lessons/small/lesson.py").write_text(SCRIPT)
    (root / "lessons/small/index.md").write_text(PAGE)
    ran = torchreel("build", "--quality", "draft", folder=root)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return root, ran.stdout + ran.stderr


@pytest.fixture
def course(built: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the small course."""
    shutil.copytree(built[0], tmp_path / "course")
    return tmp_path / "course"


def test_choices_are_those_that_there_are() -> None:
    assert set(cli.QUALITIES) == set(QUALITIES) - {STILLS}
    assert set(cli.ARTBOARDS) == set(ARTBOARDS)
    assert set(cli.THEMES) == set(THEMES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([command, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: torchreel {command}")
    assert (getattr(cli, command).__doc__ or "").splitlines()[0][:30] in said


def test_help_of_animate_says_what_a_cell_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["animate", "--help"])
    assert 'A line "# %% name" in the script starts a cell' in " ".join(
        capsys.readouterr().out.split()
    )


def test_help_names_every_command_and_loads_nothing_heavy(tmp_path: Path) -> None:
    said = torchreel("--help", folder=tmp_path).stdout
    assert all(f"\n    {command} " in said for command in COMMANDS)
    code = (
        "import sys, contextlib; from torchreel.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "sys.exit(str({'torch', 'manim', 'mkdocs', 'av', 'rich'} & set(sys.modules) or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.strip() == ""


def test_no_command_and_an_unknown_one_are_errors(tmp_path: Path) -> None:
    bare = torchreel(folder=tmp_path)
    assert bare.returncode == 2
    assert "To begin with: torchreel animate SCRIPT.py" in " ".join(bare.stderr.split())
    assert "invalid choice: 'fly'" in torchreel("fly", folder=tmp_path).stderr


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert torchreel("--version", folder=tmp_path).stdout.startswith("torchreel 0.")


def test_build_makes_the_site_and_a_table(built: tuple[Path, str]) -> None:
    root, said = built
    assert (root / "site/small/index.html").is_file()
    rows = [line.split() for line in said.splitlines() if line.startswith("lessons/")]
    assert [(row[0], row[1]) for row in rows] == [
        ("lessons/small/lesson.py", "traced"),
        ("lessons/small/lesson.py:pair", "rendered"),
        ("lessons/small/lesson.py:single", "rendered"),
    ]
    assert all(float(row[2]) > 0 and row[4] == "new" for row in rows)
    assert "0 problems" in said


def test_a_second_build_reuses_everything(course: Path) -> None:
    ran = torchreel("build", "--quality", "draft", folder=course)
    assert ran.returncode == 0
    assert ran.stdout.count(" reused") == 3
    assert "0 made" in ran.stdout


def test_a_build_with_a_problem_says_it_last_and_once_and_fails(course: Path) -> None:
    page = course / "lessons/small/index.md"
    page.write_text(PAGE.replace("| single", "| double"))
    ran = torchreel("build", "--quality", "draft", folder=course)
    assert ran.returncode == 1
    said = ran.stdout + ran.stderr
    assert said.count("lessons/small/index.md:6: there is no cell 'double'") == 1
    assert ran.stdout.rstrip().endswith("Its cells are: pair, single.")
    assert "Traceback" not in said
    assert (course / "site/index.html").is_file()


def test_a_page_that_is_no_utf8_is_a_problem_and_the_site_stays(course: Path) -> None:
    published = (course / "site/small/index.html").read_bytes()
    (course / "lessons/small/index.md").write_bytes(b"# Small\n\ncaf\xe9\n")
    for arguments in (("build", "--quality", "draft"), ("status",)):
        ran = torchreel(*arguments, folder=course)
        assert ran.returncode == 1
        assert "lessons/small/index.md:3: the page's text cannot be decoded" in ran.stderr
        assert "Save it as UTF-8." in ran.stderr
        assert "Traceback" not in ran.stderr
    assert (course / "site/small/index.html").read_bytes() == published


def test_a_page_and_a_script_may_be_as_windows_saves_them(course: Path) -> None:
    """A byte order mark first, and two characters at the end of a line."""
    for name in ("index.md", "lesson.py"):
        file = course / "lessons/small" / name
        text = file.read_text().replace("# Small\n", "---\ntitle: Tall\n---\n\n# Small\n")
        file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    ran = torchreel("build", "--quality", "draft", folder=course)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    page = (course / "site/small/index.html").read_text(encoding="utf-8")
    assert "\ufeff" not in page
    assert "<title>Tall" in page
    assert page.count("</torchreel-clip>") == 2


def test_an_interrupted_build_leaves_nothing_half_made_and_loses_nothing(course: Path) -> None:
    published = (course / "site/small/index.html").read_bytes()
    script = course / "lessons/small/lesson.py"
    script.write_text(SCRIPT.replace("arange(4)", "arange(6)[2:]"))
    with subprocess.Popen(
        [sys.executable, "-m", "torchreel", "build", "--quality", "draft"],
        cwd=course,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        said = command.stderr.readline()
        assert said.startswith("traced lessons/small/lesson.py")
        command.send_signal(signal.SIGINT)
        said += command.stderr.read()
    assert command.returncode == 130
    assert "Traceback" not in said
    assert not [path for path in (course / "build").rglob(".*") if path.name != ".gitignore"]
    assert (course / "site/small/index.html").read_bytes() == published
    ran = torchreel("build", "--quality", "draft", folder=course)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "traced" not in ran.stdout


def test_serve_asks_for_its_address_before_it_builds(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    (tmp_path / "lessons").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        for address in (taken, "127.0.0.1:99999"):
            ran = torchreel("serve", "-a", address, folder=tmp_path)
            assert ran.returncode == 1
            assert f"✗ {address}: " in ran.stderr
            assert "Choose another with --address" in ran.stderr
            assert "Traceback" not in ran.stderr
    assert not (tmp_path / "build").exists()


def test_status_is_a_line_for_each_thing_that_is_stale(course: Path) -> None:
    fresh = torchreel("status", "--quality", "draft", folder=course)
    assert fresh.stdout.startswith("Nothing is stale")
    script = course / "lessons/small/lesson.py"
    script.write_text(SCRIPT.replace("ones(1)", "ones(2)"))
    lines = torchreel("status", "--quality", "draft", folder=course).stdout.splitlines()
    assert lines[0] == "lessons/small/lesson.py: lessons/small/lesson.py changed"
    assert len(lines) == 3


def test_clean_leaves_what_git_keeps_and_what_is_not_ours(course: Path) -> None:
    for folder in ("build", "site"):
        (course / folder / ".gitignore").write_text("*\n")
    (course / "build" / "lib").mkdir()
    assert torchreel("clean", folder=course).returncode == 0
    assert {path.name for path in (course / "build").iterdir()} == {".gitignore", "lib"}
    assert [path.name for path in (course / "site").iterdir()] == [".gitignore"]
    assert (course / "lessons/small/lesson.py").is_file()


@pytest.mark.parametrize("command", ["new x", "build", "serve", "status", "clean"])
def test_outside_a_course_a_command_says_where_to_go(command: str, tmp_path: Path) -> None:
    ran = torchreel(*command.split(), folder=tmp_path)
    assert ran.returncode == 1
    assert "mkdocs.yml: there is no such file" in ran.stderr
    assert "--config" in ran.stderr


def test_a_course_without_the_plugin_is_told_to_add_it(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text("site_name: x\n")
    ran = torchreel("build", folder=tmp_path)
    assert ran.returncode == 1
    assert "the plugin `torchreel` is not among the site's plugins" in ran.stderr


def test_a_broken_config_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text("site_name: [\n")
    ran = torchreel("build", folder=tmp_path)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "mkdocs.yml" in ran.stderr


def test_animate_films_any_script(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    ran = torchreel("animate", "mine.py", "--quality", "draft", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    with av.open(tmp_path / "mine.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (960, 540)
        whole = stream.frames
    arguments = ("--cell", "single", "-o", "out/one.gif", "--artboard", "page", "--theme", "light")
    ran = torchreel("animate", "mine.py", "--quality", "draft", *arguments, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    with av.open(tmp_path / "out/one.gif") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (640, 400)
        assert 0 < sum(1 for _ in container.decode(stream)) < whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.mp4", "mine.py", "out"]


@pytest.mark.parametrize("folder", [".", "lessons"])
def test_a_folder_is_no_script(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    ran = torchreel("animate", folder, folder=tmp_path)
    assert ran.returncode == 1
    assert f"{folder}: this is a folder, not a script" in ran.stderr
    assert "torchreel animate script.py" in ran.stderr


def test_animate_ends_a_script_at_its_limit_and_films_it_until_then(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\nx = torch.ones(3)\nwhile True: pass\n")
    late = torchreel("animate", "mine.py", "--timeout", "soon", folder=tmp_path)
    assert late.returncode == 2
    assert "argument --timeout: 'soon' is no number of seconds" in late.stderr
    limit = ("--timeout", "0.5", "-o", "look", "--artboard", "page")
    ran = torchreel("animate", "mine.py", *limit, folder=tmp_path)
    assert ran.returncode == 1
    assert "mine.py:3: the script did not end within 0.5 seconds" in ran.stderr
    assert any((tmp_path / "look").glob("*-01.png"))


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            "import argparse; p = argparse.ArgumentParser('mine'); p.add_argument('n')\n"
            "p.parse_args()",
            "2; the last line it wrote: mine: error: the following arguments are required: n",
        ),
        ("raise SystemExit('no data')", "1: no data"),
        ("raise SystemExit(3)", "3"),
    ],
)
def test_animate_says_why_a_script_ended_itself(tmp_path: Path, end: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(f"import torch\n{end}\n")
    ran = torchreel("animate", "mine.py", folder=tmp_path)
    assert ran.returncode == 1
    told = ran.stderr.splitlines()[0]
    assert told.startswith("✗ mine.py:")
    assert told.partition(" the script ended itself with exit status ")[2] == said


def test_animate_writes_stills_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    ran = torchreel("animate", "mine.py", "-o", "look", "--artboard", "page", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    names = sorted(path.name for path in (tmp_path / "look").iterdir())
    assert names == [
        *("pair-01.png", "pair-02.png", "pair-cues.png", "pair-motion.png"),
        *("single-01.png", "single-cues.png", "single-motion.png"),
    ]
    with Image.open(tmp_path / "look/pair-01.png") as one:
        assert one.size == (1280, 800)
        first = np.asarray(one.convert("RGB"))
    with Image.open(tmp_path / "look/pair-02.png") as other:
        second = np.asarray(other.convert("RGB"))
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 10
    assert (first != second).any()


def test_a_still_is_named_after_its_cell_as_far_as_a_file_can_be(tmp_path: Path) -> None:
    """Two cells whose names differ never share a file."""
    long = "n" * 300
    cells = "".join(f"# %% {name}\nx = torch.ones(1)\n" for name in ("../a/b", f"{long}1", long))
    (tmp_path / "mine.py").write_text(f"import torch\n{cells}")
    ran = torchreel("animate", "mine.py", "-o", "look", "--artboard", "page", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    stems = ("..-a-b-3", f"{'n' * 60}-5", f"{'n' * 60}-7")
    assert sorted(path.name for path in (tmp_path / "look").iterdir()) == [
        f"{stem}-{end}.png" for stem in stems for end in ("01", "cues", "motion")
    ]


def test_animate_films_a_script_up_to_the_line_that_raises(tmp_path: Path) -> None:
    """As by Python, it runs in the folder where the command is given."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "here.txt").write_text("2")
    script = 'import torch\nx = torch.ones(int(open("here.txt").read()))\nx.reshape(3)\n'
    (tmp_path / "scripts/mine.py").write_text(script)
    ran = torchreel("animate", "scripts/mine.py", "--quality", "draft", folder=tmp_path)
    assert ran.returncode == 1
    assert "scripts/mine.py:3: the script raised RuntimeError" in ran.stderr
    assert (tmp_path / "mine.mp4").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.py",), "nothing.py: the script cannot be read: No such file or directory"),
        (("mine.py", "--cell", "triple"), "there is no cell 'triple'"),
        (("mine.py", "-o", "film.webm"), "film.webm: a film is an .mp4, a .gif or a folder"),
        (("empty.py",), "Let a line of it compute with torch, such as x = torch.arange(12)."),
    ],
)
def test_animate_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    (tmp_path / "empty.py").write_text("import torch\n")
    ran = torchreel("animate", *arguments, folder=tmp_path)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.py", "mine.py"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("taken/film.mp4", "taken: it is a file, no folder to write to"),
        ("taken/stills", "taken: it is a file, no folder to write to"),
        ("folder.mp4", "folder.mp4: it is a folder"),
    ],
)
def test_animate_asks_where_to_write_before_it_runs_the_script(
    tmp_path: Path, out: str, said: str
) -> None:
    (tmp_path / "mine.py").write_text('open("ran", "w")\n')
    (tmp_path / "taken").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    ran = torchreel("animate", "mine.py", "-o", out, folder=tmp_path)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("out", ["film.mp4", "film.gif", "stills"])
def test_a_disk_without_room_is_an_error_without_a_traceback(tmp_path: Path, out: str) -> None:
    """What is too large for a process looks to it as a full disk does."""
    (tmp_path / "mine.py").write_text("import torch\nx = torch.arange(3)\n")
    command = (sys.executable, "-m", "torchreel", "animate", "mine.py", "-o", out)
    ran = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *command, "--quality", "draft"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "File too large\n    Is there room on the disk" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "leaked" not in ran.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_what_a_command_started_ends_with_it(tmp_path: Path, name: str) -> None:
    """The script that it runs, and the folder that it writes in."""
    script = """import os, pathlib
pathlib.Path("written").write_text(str(os.getpid()))
pathlib.Path("written").rename("pid")
while True: pass
"""
    (tmp_path / "mine.py").write_text(script)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    number = getattr(signal, name)
    with subprocess.Popen(
        [sys.executable, "-m", "torchreel", "trace", "mine.py"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        while not (tmp_path / "pid").exists():
            assert command.poll() is None
            time.sleep(0.1)
        command.send_signal(number)
        _, said = command.communicate()
    assert "Traceback" not in said
    killed = name == "SIGKILL"
    assert command.returncode == (-number if killed else 128 + number)
    assert killed or not list(scratch.iterdir())
    child = int((tmp_path / "pid").read_text())
    for _ in range(600 if killed else 0):  # it ends by itself, as soon as it sees it
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)


def _runs(process: int) -> bool:
    """Tell whether a process is there, and is more than an entry that waits for its parent."""
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()[:1] not in ("", "Z")


TRACED = """import torch

# %% made
x = torch.arange(4.0)
m = x.reshape(2, 2)

# %% mixed
s = m @ torch.tensor([[float("nan"), 1.0], [2.0, float("-inf")]])
for i in range(5):
    x = x + i
print("all", "done")
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a script and what ``torchreel trace`` wrote there, and what it said."""
    root = tmp_path_factory.mktemp("trace")
    (root / "mine.py").write_text(TRACED)
    ran = torchreel("trace", "mine.py", "-o", "seen/here", folder=root)
    assert (ran.returncode, ran.stderr) == (0, "all done\n")
    return root, ran.stdout


def test_trace_lists_a_row_for_each_op(traced: tuple[Path, str]) -> None:
    _, said = traced
    assert said.startswith("mine.py: ")
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert "line run op in out memory device" in rows
    assert rows.index("# %% made") < rows.index("4 arange (4,) new cpu")
    assert rows.index("5 reshape (4,) (2, 2) view cpu") < rows.index("# %% mixed")
    assert "8 matmul (2, 2), (2, 2) (2, 2) new cpu" in rows
    assert [row for row in rows if row.startswith("10 ")] == [
        f"10 {lap} add (4,) (4,) new cpu" for lap in (1, 2, 3, 5)
    ]
    assert "> all done" in rows


def test_trace_writes_what_it_saw(traced: tuple[Path, str]) -> None:
    root, _ = traced
    assert sorted(path.name for path in (root / "seen/here").iterdir()) == [
        "trace.json",
        "values.safetensors",
    ]
    trace = read_trace(root / "seen/here")
    assert (trace.script, [cell.name for cell in trace.cells]) == ("mine.py", ["made", "mixed"])
    assert trace.values[trace.names_after("made")["m"]].tolist() == [[0, 1], [2, 3]]


def test_trace_prints_json_and_nothing_else(traced: tuple[Path, str]) -> None:
    root, _ = traced
    ran = torchreel("trace", "mine.py", "--json", folder=root)
    assert (ran.returncode, ran.stderr) == (0, "all done\n")
    told = json.loads(ran.stdout, parse_constant=pytest.fail)
    kept = read_trace(root / "seen/here")
    assert [step["op"] for step in told["steps"]] == [step.op for step in kept.steps]
    assert told["values"].keys() == {str(id) for id in kept.values}
    assert [["nan", 1.0], [2.0, "-inf"]] in told["values"].values()


def test_trace_of_a_script_that_raises_says_where_and_lists_what_ran(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("import torch\nx = torch.ones(3)\nx @ torch.ones(4)\n")
    (tmp_path / "taken").write_text("a file")
    ran = torchreel("trace", "wrong.py", folder=tmp_path)
    assert ran.returncode == 1
    assert "ones" in ran.stdout
    assert "wrong.py:3: the script raised RuntimeError: " in ran.stderr
    assert ran.stderr.startswith(
        f'Traceback (most recent call last):\n  File "{tmp_path}/wrong.py", line 3, in <module>\n'
    )
    assert "/tracer/" not in ran.stderr
    ran = torchreel("trace", "wrong.py", "--json", folder=tmp_path)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["error"]["line"] == 3


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("torch.zeros(10**13)", "let it take less"),
        (
            "import argparse; p = argparse.ArgumentParser(); p.add_argument('n'); p.parse_args()",
            "A lesson is given none: let each have a default.",
        ),
        ("import nowhere_to_be_found", "Install it where torchreel is installed"),
    ],
)
def test_what_to_do_follows_from_what_a_script_raised(
    tmp_path: Path, line: str, advice: str
) -> None:
    (tmp_path / "mine.py").write_text(f"import torch\n{line}\n")
    ran = torchreel("trace", "mine.py", folder=tmp_path)
    assert ran.returncode in (1, 2)
    assert "✗ mine.py:2: " in ran.stderr
    assert advice in ran.stderr


def test_trace_passes_on_what_a_script_writes_and_its_exit_status(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(
        "import atexit, sys\nimport torch\natexit.register(print, 'at exit')\n"
        "for i in range(20):\n    print(i)\nprint('日本 [b]', end='', file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    ran = torchreel("trace", "ends.py", folder=tmp_path)
    assert ran.returncode == 7
    laps = [str(i) for i in range(20)]
    assert ran.stderr.splitlines()[:21] == [*laps, "日本 [b]at exit"]
    assert "ends.py:7: the script ended itself with exit status 7" in ran.stderr


ASKING = """import argparse
import warnings
import torch
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, required=True)
x = torch.arange(parser.parse_args().epochs)
warnings.warn("of [its] own")
"""


def test_a_script_is_given_what_follows_two_dashes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ASKING)
    ran = torchreel("trace", "mine.py", "--", "--epochs", "3", folder=tmp_path)
    assert ran.returncode == 0
    assert "(3,)" in ran.stdout
    film = ("animate", "mine.py", "-o", "look", "--quality", "draft")
    ran = torchreel(*film, "--", "--epochs", "2", folder=tmp_path)
    assert ran.returncode == 0
    assert "wrote to stderr" in ran.stderr
    assert f"{tmp_path}/mine.py:7: UserWarning: of [its] own" in ran.stderr
    bare = torchreel(*film, folder=tmp_path)
    assert bare.returncode == 1
    assert "the following arguments are required: --epochs" in bare.stderr
    assert "`torchreel animate` and `trace` give a script what follows --." in bare.stderr
    wrong = torchreel("status", "--", "--epochs", "2", folder=tmp_path)
    assert wrong.returncode == 2
    assert "only `animate` and `trace` give a script what follows --" in wrong.stderr


@pytest.mark.parametrize("command", ["animate", "trace"])
def test_help_says_how_to_give_a_script_arguments(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "SCRIPT [-- ARGUMENT ...]" in said
    assert f"torchreel {command} train.py -- --epochs 2" in said


def test_a_build_ends_a_script_at_its_limit(course: Path) -> None:
    lesson = course / "lessons/small/lesson.py"
    lesson.write_text(lesson.read_text() + "while True: pass\n")
    ran = torchreel("build", "--timeout", "1", folder=course)
    assert ran.returncode == 1
    assert "lesson.py:" in ran.stdout
    assert "the script did not end within 1 seconds" in ran.stdout


def test_trace_says_what_it_cannot_read_or_write(tmp_path: Path) -> None:
    ran = torchreel("trace", "nothing.py", folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "nothing.py: the script cannot be read" in ran.stderr
    for timeout in ("0", "-1", "nan", "1e99", "soon"):
        ran = torchreel("trace", "nothing.py", "--timeout", timeout, folder=tmp_path)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "argument --timeout: " in ran.stderr
    (tmp_path / "mine.py").write_text("import torch\nx = torch.ones(3)\nwhile True: pass\n")
    ran = torchreel("trace", "mine.py", "--timeout", "0.5", folder=tmp_path)
    assert ran.returncode == 1
    assert "mine.py:3: the script did not end within 0.5 seconds" in ran.stderr
    assert "ones" in ran.stdout
    (tmp_path / "mine.py").write_text("import torch\n")
    (tmp_path / "taken").write_text("a file")
    ran = torchreel("trace", "mine.py", "-o", "taken", folder=tmp_path)
    assert ran.returncode == 1
    assert "taken: the trace cannot be written there" in ran.stderr
