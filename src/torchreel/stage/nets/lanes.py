"""Which links of a chain run side by side, and where they fork and join (no Manim here)."""

from __future__ import annotations

from dataclasses import dataclass

from torchreel.stage.nets.links import INPUT, Chain

MOST_LANES = 6
"""More lanes would be too low to be read: the links stand in one row, with arrows around them."""


@dataclass(frozen=True)
class Lane:
    """Links one after the other; ``head`` is the input that this lane alone begins with, if any."""

    places: tuple[int, ...]
    head: int | None = None


@dataclass(frozen=True)
class Segment:
    """One lane, or lanes side by side; ``joined`` says that a link after them works on them all."""

    lanes: tuple[Lane, ...]
    joined: bool = False

    @property
    def forks(self) -> bool:
        """Whether the lanes begin with what came out before them."""
        return len(self.lanes) > 1 and self.lanes[0].head is None


def segments_of(chain: Chain) -> list[Segment]:
    """Return the segments of a chain from left to right; one, where its links are no such lanes."""
    found: list[Segment] = []
    at, count = 0, len(chain.links)
    while at < count:
        region = _region(chain, at)
        if region is None:
            found.append(Segment((Lane(tuple(range(at, count))),)))
            break
        start, segment, at = region
        if start > (begin := _end(found)):
            found.append(Segment((Lane(tuple(range(begin, start))),)))
        found.append(segment)
        if not any(lane.places for lane in segment.lanes):
            found.append(Segment((Lane((at,)),)))
            at += 1
    return found


def _end(segments: list[Segment]) -> int:
    places = [each for segment in segments for lane in segment.lanes for each in lane.places]
    return max(places, default=-1) + 1


def _region(chain: Chain, at: int) -> tuple[int, Segment, int] | None:
    """Return the first lanes side by side from a link on: their first link, the lanes, and the link
    after them."""
    for place in range(at, len(chain.links)):
        sources = chain.links[place].sources
        apart = place > 0 and place - 1 not in sources
        if apart or (at == 0 and min(sources) < INPUT):
            return _lanes(chain, at, place) if apart else _with_input(chain, place)
    return None


def _with_input(chain: Chain, join: int) -> tuple[int, Segment, int] | None:
    """Return the links before ``join`` beside a further input that goes in there."""
    further = [each for each in chain.links[join].sources if each < INPUT]
    users = [link for link in chain.links for each in link.sources if each in further]
    if len(further) + 1 > MOST_LANES or len(users) > len(further):
        return None
    lanes = (Lane(tuple(range(join)), INPUT), *(Lane((), each) for each in further))
    return 0, Segment(lanes, joined=True), join


def _lanes(chain: Chain, at: int, second: int) -> tuple[int, Segment, int] | None:
    """Return the lanes of which the second begins at a link; None where they are tangled."""
    links = chain.links
    fork = links[second].sources[0]
    start = 0 if fork < INPUT else fork + 1
    if start < at or start >= second:
        return None
    rows, end = [list(range(start, second)), [second]], second + 1
    while end < len(links):
        sources = links[end].sources
        if set(sources) <= set(rows[-1]):
            rows[-1].append(end)
        elif len(sources) == 1 and (sources[0] == fork or sources[0] < INPUT):
            rows.append([end])
        else:
            break
        end += 1
    if len(rows) > MOST_LANES or not _are_apart(chain, rows, end):
        return None
    own = fork < INPUT
    heads = [links[row[0]].sources[0] if own else None for row in rows]
    if not own and any(links[row[0]].sources != (fork,) for row in rows):
        return None
    lanes = tuple(Lane(tuple(row), head) for row, head in zip(rows, heads, strict=True))
    return start, Segment(lanes, joined=end < len(links)), end


def _are_apart(chain: Chain, rows: list[list[int]], end: int) -> bool:
    """Tell whether nothing leads from one lane to another, and all of them lead to link ``end``."""
    inside = {place: number for number, row in enumerate(rows) for place in row}
    for number, row in enumerate(rows):
        if any(not set(chain.links[place].sources) <= set(row) for place in row[1:]):
            return False
        if number and len(chain.links[row[0]].sources) > 1:
            return False
    if end == len(chain.links):
        return True
    ends = {row[-1] for row in rows}
    later = [each for link in chain.links[end + 1 :] for each in link.sources if each in inside]
    return ends == set(chain.links[end].sources) and not later
