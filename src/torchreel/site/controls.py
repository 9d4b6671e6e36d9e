"""The player's buttons: HTML that a page shows where scripts run; player.js gives it life."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from torchreel.site.words import Words

SPEEDS = (0.5, 1, 1.5, 2)

_ICONS = {
    "play": "M8 5v14l11-7z",
    "pause": "M6 5h4v14H6zm8 0h4v14h-4z",
    "previous": "M6 6h2v12H6zm3.5 6 8.5 6V6z",
    "next": "M6 18l8.5-6L6 6zm10-12v12h2V6z",
    "step": "M3 19h6v-5h5V9h5V5h2v6h-5v5h-5v5H3z",
    "captions": "M4 5h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zm0 2v10"
    "h16V7zm3 2h3a1 1 0 0 1 1 1v1H9.5v-.5h-2v3h2V13H11v1a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1v-4a1 1 0 0 1"
    " 1-1zm7 0h3a1 1 0 0 1 1 1v1h-1.5v-.5h-2v3h2V13H18v1a1 1 0 0 1-1 1h-3a1 1 0 0 1-1-1v-4"
    "a1 1 0 0 1 1-1z",
    "screen": "M5 5h6v2H7v4H5zm8 0h6v6h-2V7h-4zM5 13h2v4h4v2H5zm12 0h2v6h-6v-2h4z",
    "copy": "M16 1H4a2 2 0 0 0-2 2v14h2V3h12zm3 4H8a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h11"
    "a2 2 0 0 0 2-2V7a2 2 0 0 0-2-2zm0 16H8V7h11z",
    "check": "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
}


def controls(words: Words, lengths: Iterable[float]) -> str:
    """Return the buttons of a clip; ``lengths`` are those of its steps, in seconds."""
    return (
        f'<div class="tr-controls" role="group" aria-label="{escape(words.player)}">'
        + button("toggle", words.play, "play", "pause", other=words.pause)
        + button("previous", f"{words.previous} (P)", "previous")
        + button("next", f"{words.next} (N)", "next")
        + _seek(words, lengths)
        + button("step", f"{words.step} (S)", "step", pressed=True)
        + _speed(words)
        + button("captions", words.captions, "captions")
        + button("screen", words.screen, "screen")
        + "</div>"
    )


def button(
    action: str,
    label: str,
    *icons: str,
    other: str = "",
    pressed: bool = False,
    kind: str = "",
    **data: str,
) -> str:
    """Return a button with icons; ``other`` is its label while it is the other way round.

    ``data`` is what player.js is to know of it, as its ``data-`` attributes.
    """
    title = escape(label)
    extra = f' data-other="{escape(other)}" data-label="{title}"' if other else ""
    extra += ' aria-pressed="false"' if pressed else ""
    extra += "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return (
        f'<button type="button" class="tr-button {kind}" data-action="{action}"'
        f' aria-label="{title}" title="{title}"{extra}>{"".join(map(icon, icons))}</button>'
    )


def icon(name: str) -> str:
    """Return an icon as inline SVG; its words are its button's."""
    return (
        f'<svg viewBox="0 0 24 24" aria-hidden="true" class="tr-{name}">'
        f'<path d="{_ICONS[name]}"/></svg>'
    )


def _seek(words: Words, lengths: Iterable[float]) -> str:
    segments = "".join(f'<i style="flex-grow:{length:.3f}"></i>' for length in lengths)
    return (
        f'<span class="tr-seek"><span class="tr-segments" aria-hidden="true">{segments}</span>'
        '<input type="range" min="0" max="1" step="any" value="0"'
        f' aria-label="{escape(words.seek)}"></span>'
        '<span class="tr-time" aria-hidden="true"></span>'
    )


def _speed(words: Words) -> str:
    options = "".join(
        f'<option value="{speed:g}"{" selected" if speed == 1 else ""}>{speed:g}×</option>'
        for speed in SPEEDS
    )
    title = escape(words.speed)
    return f'<select class="tr-speed" aria-label="{title}" title="{title}">{options}</select>'
