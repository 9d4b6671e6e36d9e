"""Which clips and scripts a page asks for: what a build must make before the page is rendered."""

from __future__ import annotations

from dataclasses import dataclass

from torchreel.site.references import Target, parse_reference
from torchreel.site.source import ClipBlock, Prose, Reference, parse


@dataclass(frozen=True)
class ClipRequest:
    """A clip that a page embeds, or a script whose trace it quotes (``cell`` None).

    ``script`` is relative to the project, ``where`` the page and line that ask for it.
    """

    script: str
    cell: str | None
    where: str


def clip_requests(text: str, page: str) -> list[ClipRequest]:
    """Return what a page asks for, in order; ``text`` is its source, front matter included.

    A block or reference that cannot be understood asks for nothing: the page's rendering says why.
    """
    requests: list[ClipRequest] = []
    for piece in parse(text, page):
        if isinstance(piece, ClipBlock):
            if piece.cell:
                requests.append(ClipRequest(piece.script, piece.cell, f"{page}:{piece.line}"))
            for inner in piece.prose():
                requests += _scripts(inner, page)
        elif isinstance(piece, Reference):
            requests += _scripts((piece,), page)
    return list(dict.fromkeys(requests))


def _scripts(prose: Prose, page: str) -> list[ClipRequest]:
    found = []
    for piece in prose:
        if not isinstance(piece, Reference):
            continue
        target = parse_reference(piece, page)
        if isinstance(target, Target) and target.script:
            found.append(ClipRequest(target.script, None, f"{page}:{piece.line}"))
    return found
