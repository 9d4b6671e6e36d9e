"""One pass over frames gives an MP4 and a GIF that players can use."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from torchreel.render.movie import Movie, write_still

SIZE = (160, 100)
BACKGROUND = (12, 18, 32)


def frame(step: int) -> NDArray[np.uint8]:
    """A square that moves on the dark theme's background."""
    pixels = np.empty((SIZE[1], SIZE[0], 4), dtype=np.uint8)
    pixels[:] = (*BACKGROUND, 255)
    pixels[40:60, 2 * step : 2 * step + 20, :3] = (249, 225, 84)
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 frames, 30 a second, with cuts at 0, 10 and 31 (and one that is asked for twice)."""
    folder = tmp_path_factory.mktemp("movie")
    with Movie(SIZE, 30, mp4=folder / "clip.mp4", gif=folder / "clip.gif") as movie:
        for index in range(40):
            if index in (0, 10, 31):
                movie.cut()
                movie.cut()
            movie.write(frame(index))
        movie.write(frame(39), repeat=5)
        assert movie.cuts == [0, 10, 31]
        assert movie.duration == 1.5
    assert movie.last is not None
    write_still(movie.last, folder / "poster.webp")
    return folder


def test_the_mp4_is_h264_in_yuv420p_tagged_with_its_colours(folder: Path) -> None:
    with av.open(folder / "clip.mp4") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert stream.average_rate == 30
        assert stream.frames == 45
        assert float((stream.duration or 0) * (stream.time_base or 0)) == 1.5
        assert len(list(container.decode(stream))) == 45


def test_the_index_is_before_the_data(folder: Path) -> None:
    data = (folder / "clip.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_cut_is_a_keyframe_and_nothing_else_is(folder: Path) -> None:
    with av.open(folder / "clip.mp4") as container:
        frames = list(container.decode(video=0))
    assert [index for index, each in enumerate(frames) if each.key_frame] == [0, 10, 31]


def test_the_films_colours_are_those_of_its_frames(folder: Path) -> None:
    with av.open(folder / "clip.mp4") as container:
        first = next(container.decode(video=0))
    shown = first.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
    assert np.abs(shown[5, 5] - BACKGROUND).max() <= 2
    assert np.abs(shown[50, 10] - (249, 225, 84)).max() <= 6


def test_the_poster_is_the_frame_to_the_last_bit(folder: Path) -> None:
    poster = Image.open(folder / "poster.webp")
    assert poster.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(poster), frame(39)[..., :3])


def test_the_gif_has_15_frames_a_second_and_loops_for_ever(folder: Path) -> None:
    with Image.open(folder / "clip.gif") as gif:
        assert gif.size == SIZE
        assert gif.info["loop"] == 0
        length, shown = 0.0, []
        for each in ImageSequence.Iterator(gif):
            length += each.info["duration"] / 1000
            row = np.flatnonzero(np.asarray(each.convert("L"))[50] > 128)
            shown.append(int(row.min()) // 2)
    assert abs(length - 1.5) <= 1 / 15
    assert shown[:20] == list(range(0, 40, 2))


def test_a_gif_is_no_wider_than_640(tmp_path: Path) -> None:
    with Movie((1280, 800), 15, gif=tmp_path / "clip.gif") as movie:
        movie.write(np.zeros((800, 1280, 4), dtype=np.uint8), repeat=2)
    with Image.open(tmp_path / "clip.gif") as gif:
        assert gif.size == (640, 400)


def _spoil(movie: Movie) -> None:
    with movie:
        movie.write(frame(0))
        raise ZeroDivisionError


def test_an_error_on_the_way_is_not_hidden_by_the_unfinished_files(tmp_path: Path) -> None:
    movie = Movie(SIZE, 30, mp4=tmp_path / "clip.mp4", gif=tmp_path / "clip.gif")
    with pytest.raises(ZeroDivisionError):
        _spoil(movie)
