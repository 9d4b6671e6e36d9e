"""The child process: it runs a script as Python would, and what happens when one misbehaves."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from torchreel.records import (
    HARD_EXIT,
    HIDDEN,
    TIME_LIMIT,
    Problem,
    ScriptError,
    TorchReelError,
    Trace,
)
from torchreel.store import variable_digest
from torchreel.tracer import source_digest, torch_version, trace_script

Write = Callable[[Path, str, str], Path]

AS_PYTHON = """
import gc, inspect, os, pickle, sys, weakref
from dataclasses import dataclass
import numpy as np
import torch
import near

@dataclass
class Point:
    x: int

def shout(text):
    \"\"\"Shouts.\"\"\"
    return text.upper()

print(__name__, os.path.basename(__file__), sys.argv, os.getcwd(), sys.path[0], __doc__)
print(sys.modules["__main__"].shout is shout, pickle.loads(pickle.dumps(Point(1))))
print(inspect.getsource(shout), shout.__doc__, shout.__code__.co_firstlineno)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5),
                          torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
generator = torch.Generator().manual_seed(3)
for step in range(40):
    x = torch.randn(32, 8)
    target = torch.randint(0, 3, (32,), generator=generator)
    loss = torch.nn.functional.cross_entropy(net(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item().hex())
print([t.double().sum().item().hex() for t in net.state_dict().values()])
print(torch.rand(3).tolist(), torch.randperm(9, generator=generator).tolist())
print(np.random.RandomState(0).rand(), hash("seeded"))

def scope():
    held = torch.ones(3)
    ref = weakref.ref(held)
    storage = weakref.ref(held.untyped_storage())
    del held
    gone = ref() is None
    return gone

x = torch.ones(5)
ref = weakref.ref(x)
x = x + 1
alive = ref()
print("dead", alive is None, scope())
frame = [r for r in (1, 2)]
try:
    input("name? ")
except EOFError as error:
    print("no input:", error)
try:
    torch.ones(2, 3) @ torch.ones(2, 3)
except RuntimeError as error:
    print(error, error.__traceback__.tb_lineno)
class Heard(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        print(func)
        return func(*args, **(kwargs or {}))

large = torch.ones(400, 400)
with Heard():
    for lap in range(3):
        doubled = large.sum() * lap
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    fake = torch.ones(3) + 1
nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged) * 2
print(fake, [each.tolist() for each in nested.unbind()])
print(near.twice(torch.ones(2)), torch.is_grad_enabled(), loss.grad_fn.name())
class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 6
    def __getitem__(self, index):
        row = torch.full((2,), float(index))
        return row + torch.rand(2)

for batch in torch.utils.data.DataLoader(Rows(), batch_size=3, num_workers=1, shuffle=True):
    print(batch.tolist())
os.chdir("/")
print(os.getcwd())
sys.exit(0)
"""


def test_a_traced_script_does_what_an_untraced_one_does(tmp_path: Path, write: Write) -> None:
    """The same output: results and random numbers bit for bit, names, arguments, folders."""
    script = write(tmp_path, AS_PYTHON, "as_python")
    write(tmp_path, "def twice(x):\n    return x * 2\n", "near")
    untraced = subprocess.run(
        [sys.executable, "-B", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    trace = trace_script(script, root=tmp_path)
    assert trace.error is None
    printed = "".join(run.printed for run in trace.runs)
    assert printed == untraced.stdout
    assert "dead True True" in printed


SEEN = """
import atexit, inspect, sys, traceback, warnings
import torch
import torch.nn.functional as F

atexit.register(print, "at exit")
print(sorted(globals()), __annotations__, [n for n in dir() if n.startswith("__t")])
print(sys.getrecursionlimit())
sys.setrecursionlimit(2000)
print(sys.getrecursionlimit())
net = torch.nn.Sequential(torch.nn.Linear(2, 2))
x = torch.ones(2)

def wrong():
    return x @ torch.ones(3)

for call in (
    wrong,
    lambda: net(torch.ones(3)),
    lambda: F.kl_div(x, torch.ones(3), reduction="none"),
    lambda: F.kl_div(x, x, reduction="not one"),
    lambda: torch.einsum("ij,jk", torch.ones(2, 3), torch.ones(2, 2)),
    lambda: torch.vmap(wrong)(x),
    lambda: torch.from_numpy(3),
):
    try:
        call()
    except Exception:
        traceback.print_exc()
for lap in range(3):
    F.kl_div(x, x)
torch.tensor(x)
torch.tensor(x)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.tensor(x)
print([(each.lineno, each.filename == __file__) for each in caught])
for lap in range(60):
    print("lap", lap)
    if lap == 57:
        try:
            net(torch.ones(3))
        except RuntimeError:
            traceback.print_exc()
        sys.exit(7)
"""


def test_who_watches_sees_what_an_untraced_script_writes(tmp_path: Path, write: Write) -> None:
    """Output and errors byte for byte: every lap, warnings at their lines, tracebacks, atexit."""
    script = write(tmp_path, SEEN, "seen")
    untraced = subprocess.run(
        [sys.executable, "-B", "-u", str(tmp_path / script)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    heard: list[bytes] = []
    trace = trace_script(script, root=tmp_path, hear=heard.append)
    assert b"".join(heard).decode() == untraced.stdout.decode()
    assert trace.error is not None
    assert trace.error.status == untraced.returncode == 7
    assert untraced.stdout.count(b"Traceback") == 8
    assert untraced.stdout.count(b"UserWarning") == 3


def test_a_file_that_hides_a_module_is_named(tmp_path: Path, write: Write) -> None:
    script = write(tmp_path, "import torch\nx = torch.ones(2)\n", "lesson")
    write(tmp_path, "raise SystemExit\n", "os")  # Python has loaded its own before any script
    assert trace_script(script, root=tmp_path).error is None
    write(tmp_path, "x = 1\n", "types")
    error = trace_script(script, root=tmp_path).error
    assert error is not None
    assert error.type == HIDDEN
    assert "types.py" in error.message
    untraced = subprocess.run([sys.executable, "-B", tmp_path / script], capture_output=True)
    assert b"types" in untraced.stderr


def test_inputs_are_the_script_local_modules_and_data_that_was_read(
    tmp_path: Path, write: Write
) -> None:
    source = """
    import json, pathlib, near
    from package import inner
    rows = json.loads(pathlib.Path("lessons/data.json").read_text())
    pathlib.Path("made.txt").write_text("made")
    pathlib.Path("made.txt").read_text()
    open("lessons/unread.txt", "a").close()
    try:
        open("lessons/missing.txt")
    except FileNotFoundError:
        pass
    """
    script = write(tmp_path, source, "reads")
    write(tmp_path, "near = 1\n", "near")
    (tmp_path / "lessons/package").mkdir()
    (tmp_path / "lessons/package/__init__.py").write_text("")
    (tmp_path / "lessons/package/inner.py").write_text("inner = 1\n")
    (tmp_path / "lessons/data.json").write_text("[1, 2]")
    (tmp_path / "lessons/unread.txt").write_text("never")
    trace = trace_script(script, root=tmp_path)
    assert trace.error is None
    files = ["reads.py", "near.py", "package/__init__.py", "package/inner.py", "data.json"]
    assert trace.inputs == {
        f"lessons/{file}": hashlib.sha256((tmp_path / "lessons" / file).read_bytes()).hexdigest()
        for file in files
    }
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_environment_tells_the_seed_that_a_script_sets(tmp_path: Path, write: Write) -> None:
    sources = ("import torch\ntorch.manual_seed(41)\n", "import torch\ntorch.ones(1)\n")
    seeded, unseeded = (
        trace_script(write(tmp_path, source, "seeds"), root=tmp_path) for source in sources
    )
    told = [seeded.environment, unseeded.environment]
    assert [each.seed for each in told] == [41, None]
    assert {(each.device, each.device_name) for each in told} == {("cpu", "")}
    assert {(each.torch, each.python) for each in told} == {
        (torch.__version__, platform.python_version())
    }


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_environment_tells_the_accelerator_by_its_own_name(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchreel.tracer.__main__ import _environment

    names = SimpleNamespace(get_device_name=lambda: "NVIDIA H100") if kind == "cuda" else object()
    monkeypatch.setattr(torch, "get_device_module", lambda asked: {kind: names}[asked])
    devices = [SimpleNamespace(device=device) for device in ("cpu", "meta", f"{kind}:0")]
    recorder: Any = SimpleNamespace(tensors=SimpleNamespace(records=devices))
    told = _environment(recorder)
    assert (told.device, told.device_name) == (kind, "NVIDIA H100" if kind == "cuda" else "")


def test_an_environment_variable_that_the_script_asks_for_is_an_input(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
    import os, torch, near
    os.environ["SET_HERE"] = "1"
    assert os.environ["SET_HERE"] == "1"
    assert os.getenv("NOT_SET") is None
    assert "NOT_SET_EITHER" not in os.environ
    copies = dict(os.environ), os.environ.copy(), {**os.environ}, os.environ | {"MORE": "1"}
    for name, value in os.environ.items():
        assert all(copy[name] == value for copy in copies)
    assert os.environ["PYTHONHASHSEED"] == "0"
    assert int(os.environ["GOMP_SPINCOUNT"]) < 10_000
    """
    monkeypatch.setenv("KIND", "mnist")
    monkeypatch.setenv("OF_NO_INTEREST", "1")
    write(tmp_path, "import os\nassert os.environ.get('KIND') == 'mnist'\n", "near")
    trace = trace_script(write(tmp_path, source, "asks"), root=tmp_path)
    assert trace.error is None
    variables = {name: digest for name, digest in trace.inputs.items() if name.startswith("$")}
    unset = variable_digest(None)
    assert variables == {
        "$KIND": variable_digest("mnist"),
        "$SET_HERE": unset,
        "$NOT_SET": unset,
        "$NOT_SET_EITHER": unset,
    }
    assert variable_digest("mnist") != variable_digest("") != unset


BAD = {
    "raises": """
        import torch
        # %% one
        x = torch.ones(2, 3)

        def clash(x):
            print("before")
            return torch.nn.functional.linear(x, x.T)

        # %% two
        y = clash(x)
        """,
    "module": "import breaks\n\nbreaks.now()\n",
    "exits": "import sys\nprint('bye')\nsys.exit(3)\n",
    "asks": "x = 1\nname = input()\n",
    "says": "import sys\nsys.exit('no more')\n",
    "leaves": "import torch, os\n\ndef end():\n    os._exit(5)\n\nx = torch.ones(3)\nend()\n",
    "leaves in peace": "import torch, os\nx = torch.ones(3)\nos._exit(0)\n",
    "leaves elsewhere": """
        import os, threading
        thread = threading.Thread(target=lambda: os._exit(3))
        thread.start(); thread.join()
        """,
    "endless": """
        import torch
        n = torch.zeros(1)
        while True:
            n = n + 1
            if n == 50: print('looping')
        """,
    "deaf": "import signal, torch\nsignal.signal(signal.SIGALRM, print)\nwhile True: pass\n",
    "sleeps": "import threading\nthreading.Event().wait()\n",
    "crashes": "import ctypes\n\nctypes.string_at(0)\n",
    "killed": "import os, signal\nprint('last words')\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "broken": "x = 1\nx = = 2\n",
    "eats": "rows = []\nwhile True:\n    rows.append([0.0] * 5_000_000)\n",
    "huge": "import torch\nx = torch.ones(2)\ny = torch.zeros(10**14)\n",
    "recurses": "def down(n):\n    return down(n + 1)\n\ndown(0)\n",
    "speechless": """
        import sys
        print("heard")
        sys.stdout.close()
        sys.stderr.close()
        raise ValueError("of no use: \\udcff")
        """,
    "stays": """
        import sys, threading, torch
        threading.Thread(target=threading.Event().wait).start()
        thread = threading.Thread(target=lambda: print("elsewhere", torch.ones(2) + 1))
        thread.start(); thread.join()
        x = torch.ones(3)
        """,
    "forks": """
        import os, torch
        x = torch.ones(2)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            x = torch.zeros(5)
            print("in the child")
        print("both")
        """,
    "shouts": """
        import sys, torch
        sys.stdout.buffer.write(bytes(range(256)) * 4)
        for _ in range(200):
            print("x" * 50_000)
        try:
            print("\\udcff")
        except UnicodeEncodeError:
            print("as Python does")
        def down(n):
            return n and 1 + down(n - 1)
        depth = down(960)
        sys.argv.clear()
        x = torch.ones(1)
        """,
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, write: Write) -> dict[str, Trace | Problem]:
    """What comes of each bad script: a trace or a problem."""
    root = tmp_path_factory.mktemp("bad")
    write(root, "def now():\n    raise LookupError('gone')\n", "breaks")

    def outcome(name: str) -> Trace | Problem:
        script = write(root, BAD[name], name)
        try:
            timeout = 2.0 if name in ("endless", "sleeps", "deaf") else 60.0
            return trace_script(script, root=root, timeout=timeout, memory=1 << 30)
        except TorchReelError as error:
            return error.problem

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(BAD, pool.map(outcome, BAD), strict=True))


def error_of(outcome: Trace | Problem) -> ScriptError:
    assert isinstance(outcome, Trace), outcome
    assert outcome.error is not None
    return outcome.error


def trace_of(outcome: Trace | Problem) -> Trace:
    assert isinstance(outcome, Trace), outcome
    return outcome


def problem_of(outcome: Trace | Problem) -> Problem:
    assert isinstance(outcome, Problem), outcome
    return outcome


def test_a_script_that_raises_gives_its_trace_and_the_innermost_line_of_its_own(
    bad: dict[str, Trace | Problem],
) -> None:
    error = error_of(bad["raises"])
    assert (error.line, error.type) == (8, "RuntimeError")
    assert "mat1 and mat2 shapes cannot be multiplied" in error.message
    trace = bad["raises"]
    assert isinstance(trace, Trace)
    assert "x" in trace.names_after("one")
    assert [run.printed for run in trace.runs if run.printed] == ["before\n"]
    assert error_of(bad["module"]) == ScriptError(3, "LookupError", "gone")


def test_exit_and_input_are_errors_with_a_line(bad: dict[str, Trace | Problem]) -> None:
    assert error_of(bad["exits"]) == ScriptError(3, "SystemExit", "3", status=3)
    assert error_of(bad["says"]) == ScriptError(2, "SystemExit", "no more", status=1)
    assert error_of(bad["asks"]) == ScriptError(2, "EOFError", "EOF when reading a line")


def test_a_process_that_ends_itself_leaves_its_trace(bad: dict[str, Trace | Problem]) -> None:
    error = error_of(bad["leaves"])
    assert (error.line, error.type, error.status) == (4, HARD_EXIT, 5)
    assert "os._exit(5)" in error.message
    assert trace_of(bad["leaves in peace"]).error is None
    for name in ("leaves", "leaves in peace"):
        trace = trace_of(bad[name])
        assert [step.op for step in trace.steps] == ["torch.ones"]
        assert trace.values[trace.names_after(name)["x"]].tolist() == [1, 1, 1]
    elsewhere = problem_of(bad["leaves elsewhere"])
    assert "os._exit(3)" in elsewhere.what


def test_a_script_that_does_not_end_is_ended_and_leaves_its_trace(
    bad: dict[str, Trace | Problem],
) -> None:
    endless = error_of(bad["endless"])
    assert (endless.type, endless.status) == (TIME_LIMIT, 1)
    assert endless.line in {4, 5, 6}
    assert "within 2 seconds" in endless.message
    trace = trace_of(bad["endless"])
    (loop,) = trace.loops
    assert loop.laps > 50
    assert loop.kept[:4] == (1, 2, 3, 10)
    assert trace.values[trace.names_after("endless")["n"]].item() in {loop.laps - 1, loop.laps}
    sleeps = error_of(bad["sleeps"])
    assert (sleeps.line, sleeps.type) == (2, TIME_LIMIT)


def test_a_script_that_cannot_be_interrupted_is_ended_and_named(
    bad: dict[str, Trace | Problem],
) -> None:
    deaf = problem_of(bad["deaf"])
    assert deaf.where == "lessons/deaf.py:3"
    assert "within 2 seconds" in deaf.what


def test_a_crash_is_a_problem_with_its_signal(bad: dict[str, Trace | Problem]) -> None:
    crash = problem_of(bad["crashes"])
    assert (crash.where, "SIGSEGV" in crash.what) == ("lessons/crashes.py:3", True)
    killed = problem_of(bad["killed"])
    assert (killed.where, "SIGKILL" in killed.what) == ("lessons/killed.py", True)
    assert "last words" in killed.remedy


def test_a_syntax_error_is_a_problem_with_its_line(bad: dict[str, Trace | Problem]) -> None:
    assert problem_of(bad["broken"]).where == "lessons/broken.py:2"


def test_asking_for_too_much_memory_is_an_error_with_its_line(
    bad: dict[str, Trace | Problem],
) -> None:
    assert error_of(bad["eats"]) == ScriptError(3, "MemoryError", "")
    huge = error_of(bad["huge"])
    assert (huge.line, huge.type) == (3, "RuntimeError")
    (clash,) = [step.clash for step in trace_of(bad["huge"]).steps if step.clash]
    assert clash.message == huge.message
    recursion = error_of(bad["recurses"])
    assert (recursion.line, recursion.type) == (2, "RecursionError")


def test_a_closed_output_and_a_text_that_no_file_can_hold_leave_a_trace(
    bad: dict[str, Trace | Problem],
) -> None:
    assert error_of(bad["speechless"]) == ScriptError(6, "ValueError", "of no use: \\udcff")
    assert [run.printed for run in trace_of(bad["speechless"]).runs if run.printed] == ["heard\n"]


def test_threads_are_not_seen_and_one_that_stays_is_left_behind(
    bad: dict[str, Trace | Problem],
) -> None:
    trace = trace_of(bad["stays"])
    assert trace.error is None
    assert [step.op for step in trace.steps] == ["torch.ones"]
    assert not any(run.printed for run in trace.runs)


def test_a_forked_child_writes_no_trace(bad: dict[str, Trace | Problem]) -> None:
    trace = trace_of(bad["forks"])
    assert trace.error is None
    assert [trace.tensor(each).shape for each in trace.names_after("forks").values()] == [(2,)]
    assert "".join(run.printed for run in trace.runs) == "both\n"


def test_megabytes_and_bytes_on_the_output_are_cut(bad: dict[str, Trace | Problem]) -> None:
    trace = trace_of(bad["shouts"])
    assert trace.error is None
    printed = "".join(run.printed for run in trace.runs)
    assert "as Python does" in printed
    assert len(printed) < 200_000
    assert {"depth": "960"} in [run.plain for run in trace.runs]


def test_a_script_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(TorchReelError) as raised:
        trace_script(Path("lessons/none.py"), root=tmp_path)
    assert raised.value.problem.where == "lessons/none.py"


def test_the_parent_imports_neither_torch_nor_manim() -> None:
    code = (
        "import sys, torchreel.tracer as t; t.source_digest(); t.torch_version();"
        "t.parse_cells('x = 1', 'a.py'); print({'torch', 'manim'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_key_of_a_trace_names_the_sources_and_torch() -> None:
    import torch

    assert torch_version() == torch.__version__
    assert len(source_digest()) == 64
    assert source_digest() == source_digest()
