"""Japanese text: what must not be parted where a line ends."""

from __future__ import annotations

import re

_CODE = r"<code\b[^>]*>[^<]{1,16}</code>"
_COUNTERS = "[個行列枚本番回台段点桁秒分倍次種周歩層乗位色組人件語字つ]"
_ENDS = re.compile(rf"({_CODE} ?[^\s<>。]{{1,5}}。)(?=\s*</(?:p|li|span|td)>)")
_COUNTED = re.compile(rf'(?<!"tr-together">)({_CODE} ?{_COUNTERS})')
_TAG = re.compile(r"(<[^>]*>)")
_NUMBER = re.compile(rf"(?<=\d) (?={_COUNTERS})")


def keep_together(html: str) -> str:
    """Return a page whose lines do not part a number from its counter, and whose paragraphs do not
    end with a line of two letters: 「です。」 after a code span stays beside it."""
    html = _ENDS.sub(r'<span class="tr-together">\1</span>', html)
    html = _COUNTED.sub(r'<span class="tr-together">\1</span>', html)
    parts = _TAG.split(html)
    parts[::2] = [keep_counters(text) for text in parts[::2]]
    return "".join(parts)


def keep_counters(text: str) -> str:
    """Return plain text whose lines do not part a number from its counter."""
    return _NUMBER.sub("\N{NO-BREAK SPACE}", text)
