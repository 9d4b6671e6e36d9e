"""Artifacts are written aside, and read back as they were."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from torchreel.records import (
    Cell,
    Clip,
    Cue,
    Drawn,
    Environment,
    Operand,
    Problem,
    Run,
    Statement,
    Step,
    TensorRecord,
    Trace,
)
from torchreel.store import (
    Index,
    Store,
    digest_of,
    trace_digest,
    trace_schema,
    write_clip,
    write_trace,
)

TRACE = Trace(
    script="lessons/a/lesson.py",
    cells=(Cell("one", 3, "x = torch.tensor(2.)", (Statement(1, (1, 1), "x = …"),)),),
    runs=(Run("one", 1, 1, (0,), {"x": 0, "y": None}, "said\n"),),
    steps=(Step(0, 0, "torch.tensor", "torch.tensor(2.)", (Operand(literal="2."),), (0,)),),
    tensors=(TensorRecord(0, (), (), "float32", "cpu", 0, 0, 1),),
    environment=Environment("3.11", "2.13"),
    inputs={"lessons/a/lesson.py": "00"},
    values={0: np.array(2.0, dtype=np.float32), 3: np.arange(6).reshape(2, 3).T},
)
CLIP = Clip(
    "lessons/a/lesson.py", "one", "page", "dark", "draft", 640, 400, 15, 1.5,
    (Cue(1, 0.0, 1.5, 1),), (Drawn(1, "2", "value", 0, ()),), {"mp4": "clip.mp4"}, "d", {"a": "b"},
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "build")


def test_a_trace_comes_back_as_it_was(store: Store) -> None:
    with store.writing(store.trace_folder("d")) as scratch:
        write_trace(TRACE, scratch)
    back = store.trace("d")
    assert replace(back, values={}) == replace(TRACE, values={})
    assert back.values.keys() == TRACE.values.keys()
    for key, value in TRACE.values.items():
        assert back.values[key].dtype == value.dtype
        np.testing.assert_array_equal(back.values[key], value, strict=True)
    assert trace_digest(back) == trace_digest(TRACE)


def test_a_clip_comes_back_as_it_was(store: Store) -> None:
    with store.writing(store.clip_folder("d")) as scratch:
        write_clip(CLIP, scratch)
    assert store.clip("d") == CLIP


def test_a_digest_tells_values_and_shapes_apart() -> None:
    other = replace(TRACE, values={**TRACE.values, 0: np.array(3.0, dtype=np.float32)})
    flat = replace(TRACE, values={**TRACE.values, 0: np.array([2.0], dtype=np.float32)})
    assert len({trace_digest(each) for each in (TRACE, other, flat)}) == 3
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_a_folder_appears_whole_or_not_at_all(store: Store) -> None:
    folder = store.clip_folder("d")
    with store.writing(folder) as scratch:
        (scratch / "clip.json").write_text("{}")
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["clip.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["d"]


def _spoil(store: Store, folder: Path) -> None:
    with store.writing(folder) as scratch:
        (scratch / "clip.json").write_text("{")
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_nothing(store: Store) -> None:
    folder = store.clip_folder("d")
    with pytest.raises(KeyboardInterrupt):
        _spoil(store, folder)
    assert list(folder.parent.iterdir()) == []


def test_two_writers_of_one_folder_do_not_hurt_each_other(store: Store) -> None:
    folder = store.clip_folder("d")
    with store.writing(folder) as first, store.writing(folder) as second:
        for scratch in (first, second):
            (scratch / "clip.json").write_text("{}")
    assert [path.name for path in folder.parent.iterdir()] == ["d"]
    assert (folder / "clip.json").read_text() == "{}"


def test_the_index_comes_back_and_a_strange_one_is_empty(store: Store) -> None:
    assert store.index() == Index()
    index = Index({"a.py": "1"}, {"a.py:one:page:dark": "2"}, {"a.py": Problem("a.py:1", "x")})
    store.write_index(index)
    assert store.index() == index
    assert [path.name for path in store.root.iterdir()] == ["index.json"]
    (store.root / "index.json").write_text("[1, 2]")
    assert store.index() == Index()


def test_a_trace_of_another_schema_is_refused(store: Store) -> None:
    with store.writing(store.trace_folder("d")) as scratch:
        write_trace(TRACE, scratch)
    file = store.trace_folder("d") / "trace.json"
    file.write_text(file.read_text().replace('"steps"', '"stairs"'))
    with pytest.raises(msgspec.ValidationError):
        store.trace("d")


def test_the_schema_of_a_trace_names_and_explains_every_field(tmp_path: Path) -> None:
    schema = trace_schema()
    write_trace(TRACE, tmp_path)
    written = msgspec.json.decode((tmp_path / "trace.json").read_bytes())

    def check(value: object, kind: Any) -> None:
        options = kind.get("anyOf", [kind]) if isinstance(kind, dict) else []
        for option in options:
            name = option.get("$ref", "").rpartition("/")[2]
            if name and isinstance(value, dict):
                record = schema["$defs"][name]
                assert record["description"]
                assert value.keys() == record["properties"].keys()
                for key, item in value.items():
                    check(item, record["properties"][key])
            elif isinstance(value, list) and "items" in option:
                for item in value:
                    check(item, option["items"])

    check(written, schema)
    assert written["version"] == schema["$defs"]["Trace"]["properties"]["version"]["default"]


def test_both_files_of_a_trace_may_be_read_by_the_same_people(tmp_path: Path) -> None:
    write_trace(TRACE, tmp_path)
    (tmp_path / "plain").touch()
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert set(modes.values()) == {modes["plain"]}
