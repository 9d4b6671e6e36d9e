from __future__ import annotations

import base64
import json

from torchreel.site.vtt import TimedText, data_track, data_url, text_track


def test_captions_are_escaped_and_keep_to_one_line() -> None:
    track = text_track(
        [TimedText(0, 1.5, "a --> b & <c>\n\nnext"), TimedText(3661.25, 3661.25, "")]
    )
    assert track == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\na --&gt; b &amp; &lt;c&gt; next\n\n"
        "2\n01:01:01.250 --> 01:01:01.251\n\n"
    )


def test_metadata_is_json_without_what_ends_a_cue() -> None:
    said = "x --> y & <b>\n\n        two  gaps"
    payload = {"text": said, "data": ["nan", ["inf", "1.5"]]}
    line = data_track([(0, 1, payload)]).splitlines()[4]
    assert not set("<>&") & set(line)
    assert json.loads(line) == payload


def test_a_data_url_holds_the_track() -> None:
    head, _, body = data_url("WEBVTT\n\n形").partition(",")
    assert head == "data:text/vtt;charset=utf-8;base64"
    assert base64.b64decode(body).decode() == "WEBVTT\n\n形"
