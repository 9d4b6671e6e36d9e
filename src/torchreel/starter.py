"""A lesson to start from: a script with cells, and its page in each language of the site."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from torchreel.records import Problem, TorchReelError

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

_SCRIPT = """\
import torch

# %% fold
x = torch.arange(6)
y = x.reshape(2, 3)

# %% double
z = y * 2
total = z.sum()
"""

_ENGLISH = """\
---
title: $quoted
description: Six numbers are folded into a table and doubled.
minutes: 3
---

# $title

Say in a sentence or two what this lesson is about.

## A row becomes a table

Before you play it: in which row will the {{ fold:x.data[4] }} end up?

/// clip | fold
    alt: A row of {{ x.numel }} numbers folds into a table of {{ y.shape }}.

1. {{ x.expression }} lays out {{ x.numel }} numbers. Their shape is {{ x.shape }}.
2. {{ y.expression }} folds them into {{ y.shape[0] }} rows of {{ y.shape[1] }}.
///

The numbers are the same, in the same order: {{ y.data }}.

## Each number twice

/// clip | double
///

All of them together are {{ total }}.

## What to try next

- Change a number in the script and save it. The clips, the code and the numbers here follow.
"""

_JAPANESE = """\
---
title: $quoted
description: 6 個の数を表に折りたたみ、2 倍にします。
minutes: 3
---

# $title

このレッスンで何がわかるのかを、1、2 文で書きましょう。

## 1 列から表へ

再生する前に考えてみましょう。{{ fold:x.data[4] }} は、表の何行目に来るでしょうか？

/// clip | fold
    alt: 1 列に並んだ {{ x.numel }} 個の数が、{{ y.shape }} の表に折りたたまれる。

1. {{ x.expression }} で、{{ x.numel }} 個の数が1 列に並びます。形は {{ x.shape }} です。
2. {{ y.expression }} で折りたたむと、{{ y.shape[0] }} 行 {{ y.shape[1] }} 列の表になります。
///

数も並び順もそのままです。中身は {{ y.data }} になりました。

## ひとつずつ 2 倍に

/// clip | double
///

全部足すと {{ total }} になります。

## やってみよう

- スクリプトの数を書きかえて保存してみましょう。動画もコードも、
  このページの数字もいっしょに変わります。
"""

_PAGES: Mapping[str, str] = {"en": _ENGLISH, "ja": _JAPANESE}


@dataclass(frozen=True)
class Starter:
    """A lesson that is not there yet: ``name`` is its folder's, ``title`` its pages'.

    ``languages`` are those of the site, the one of ``index.md`` first.
    """

    name: str
    title: str
    languages: Sequence[str]

    @classmethod
    def of(cls, name: str, title: str | None, languages: Sequence[str]) -> Starter:
        """Return the lesson of this name; raises TorchReelError where it cannot be a folder's."""
        if not _NAME.fullmatch(name):
            near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            remedy = f"Try: torchreel new {near}." if near else "Try: torchreel new my-lesson."
            what = "a lesson's name is small letters and digits, with - between words"
            raise TorchReelError(Problem(name, what, remedy))
        title = " ".join(title.split()) if title else name.replace("-", " ").capitalize()
        return cls(name, title, languages)

    def files(self) -> dict[str, str]:
        """Return the texts of the lesson's files by their names."""
        known = [language for language in self.languages if language in _PAGES] or ["en"]
        made = {"lesson.py": _SCRIPT}
        for language in known:
            first = language == (self.languages[0] if self.languages else "en")
            suffix = "" if first or len(known) == 1 else f".{language}"
            made[f"index{suffix}.md"] = Template(_PAGES[language]).substitute(
                title=self.title, quoted=_quoted(self.title)
            )
        return made

    def write(self, folder: Path, shown: str) -> None:
        """Write the files into a new ``folder``, called ``shown`` in messages.

        Raises TorchReelError where something is there already, or nothing can be written.
        """
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            what = "there is something of this name already; nothing was written"
            raise TorchReelError(Problem(shown, what, "Choose another name.")) from None
        except OSError as error:
            what = f"the lesson cannot be written there: {error.strerror}"
            raise TorchReelError(Problem(shown, what, "Look at the folder above it.")) from error
        for name, text in self.files().items():
            (folder / name).write_text(text, encoding="utf-8")


def _quoted(title: str) -> str:
    """Return a title as YAML has it: some, such as one with a colon, must stand in quotes."""
    return title if _is_plain(title) else json.dumps(title, ensure_ascii=False)


def _is_plain(title: str) -> bool:
    try:
        return bool(yaml.safe_load(f"title: {title}") == {"title": title})
    except yaml.YAMLError:
        return False
