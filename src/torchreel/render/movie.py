"""Frames in, files out: an MP4 and a GIF from one pass over the frames, through PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

GIF_FPS = 15
GIF_WIDTH = 640
GIF_COLORS = 64

# On the reshape clip (398 frames of 1280x800) veryfast is half medium's CPU time for the same
# bytes (524 kB at crf 23) and .0006 of SSIM; superfast is another tenth faster for 1.8 x the bytes.
_X264 = {"preset": "veryfast", "crf": "22", "forced-idr": "1"}
_BT709 = 1  # the number of BT.709 in H.264's tables of primaries, transfer and matrix


class Sink(Protocol):
    """What takes one frame after the other, such as a file."""

    def write(self, pixels: Pixels, index: int, cut: bool) -> None:
        """Add frame number ``index``; ``cut`` starts a group of pictures."""

    def close(self) -> None:
        """Finish the file."""

    def abort(self) -> None:
        """Let go of the file, whatever state it is in."""


class Movie:
    """Writes frames of one size to an MP4, a GIF and other sinks.

    It counts ``frames``, notes where the ``cuts`` are and keeps the ``last`` frame.
    """

    def __init__(
        self,
        size: tuple[int, int],
        fps: int,
        *,
        mp4: Path | None = None,
        gif: Path | None = None,
        sinks: Iterable[Sink] = (),
    ) -> None:
        self.fps = fps
        self.frames = 0
        self.last: Pixels | None = None
        self.cuts: list[int] = []
        self._sinks: list[Sink] = [*sinks]
        if mp4:
            self._sinks.append(_Mp4(mp4, size, fps))
        if gif:
            self._sinks.append(_Gif(gif, size, fps))

    @property
    def duration(self) -> float:
        """Seconds of film so far."""
        return self.frames / self.fps

    def cut(self) -> None:
        """Make the next frame a keyframe, so that a player can seek to it."""
        if self.frames not in self.cuts:
            self.cuts.append(self.frames)

    def write(self, pixels: Pixels, repeat: int = 1) -> None:
        """Add a frame (height, width, 4) of RGBA bytes, ``repeat`` times; it is kept as it is."""
        for _ in range(repeat):
            for sink in self._sinks:
                sink.write(pixels, self.frames, self.frames in self.cuts[-1:])
            self.frames += 1
        self.last = pixels

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close if kind is None else sink.abort)


class _Frames:
    """Pixels as frames of a file; a frame that stands still is converted once."""

    def __init__(self, convert: Callable[[VideoFrame], VideoFrame] = lambda frame: frame) -> None:
        self._convert = convert
        self._pixels: Pixels | None = None

    def of(self, pixels: Pixels) -> VideoFrame:
        """Return the frame of these pixels."""
        if pixels is not self._pixels:
            self._pixels = pixels
            self._frame = self._convert(VideoFrame.from_ndarray(pixels, format="rgba"))
        return self._frame


class _Mp4:
    """H.264 in yuv420p, the index before the data (faststart), colours tagged as BT.709.

    Without the tag browsers guess the matrix from the frame's height, and the clip's background
    would not be the page's.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int) -> None:
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=fps, options=dict(_X264))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._time_base = Fraction(1, fps)
        context = self._stream.codec_context
        context.color_range = int(ColorRange.MPEG)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._frames = _Frames(_in_bt709)

    def write(self, pixels: Pixels, index: int, cut: bool) -> None:
        frame = self._frames.of(pixels)
        frame.pts = index
        frame.time_base = self._time_base
        frame.pict_type = PictureType.I if cut else PictureType.NONE
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abort(self) -> None:
        self._container.close()


def _in_bt709(frame: VideoFrame) -> VideoFrame:
    return frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


class _Gif:
    """15 frames a second, 640 wide, 64 colours without dither, only what moved; loops forever."""

    def __init__(self, path: Path, size: tuple[int, int], fps: int) -> None:
        width = min(GIF_WIDTH, size[0])
        height = round(size[1] * width / size[0] / 2) * 2
        self._fps, self._rate = fps, min(GIF_FPS, fps)
        self._container = av.open(path, "w", format="gif", options={"loop": "0"})
        self._stream = self._container.add_stream("gif", rate=self._rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "pal8"
        self._graph = _palette_graph(size, width, height, self._rate)
        self._frames = _Frames()
        self._written = 0

    def write(self, pixels: Pixels, index: int, cut: bool) -> None:
        if index * self._rate // self._fps < self._written:
            return
        frame = self._frames.of(pixels)
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._graph.push(frame)
        self._written += 1

    def close(self) -> None:
        self._graph.push(None)
        for frame in _pulled(self._graph):
            self._container.mux(self._stream.encode(frame))
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abort(self) -> None:
        self._container.close()


def _palette_graph(size: tuple[int, int], width: int, height: int, rate: int) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=size[0],
        height=size[1],
        format=VideoFormat("rgba"),
        time_base=Fraction(1, rate),
    )
    scale = graph.add("scale", f"{width}:{height}:flags=area")
    split = graph.add("split")
    palette = graph.add("palettegen", f"max_colors={GIF_COLORS}:reserve_transparent=0")
    use = graph.add("paletteuse", "dither=none:diff_mode=rectangle")
    sink = graph.add("buffersink")
    source.link_to(scale)
    scale.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return


def write_still(pixels: Pixels, still: Path) -> None:
    """Write a frame, to the last bit, as a WebP: half of a PNG."""
    Image.fromarray(pixels).convert("RGB").save(still, lossless=True)
