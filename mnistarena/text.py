"""Text made fit to show: safe where it comes from elsewhere, short where it is long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# Control characters but tab and newline (a terminal obeys them), marks that turn the direction of text
# round (a reader is deceived by them), line separators, and lone surrogates (no UTF-8 can hold them).
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with every character that acts instead of showing written as its escape, such as `\\x1b`."""
    return _HIDDEN.sub(lambda match: ascii(match.group())[1:-1], text)


def hidden(text: str) -> str | None:
    """The first such character as its escape, or None."""
    found = _HIDDEN.search(text)
    return ascii(found.group())[1:-1] if found else None


def plain_ascii(raw: bytes) -> bool:
    """Whether JSON text holds nothing but printable ASCII, and no escapes: then all of it is visible."""
    return raw.isascii() and b"\\" not in raw and b"\x7f" not in raw


def all_visible(value: Any) -> Any:
    """A JSON value with every string in it, keys too, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): all_visible(entry) for key, entry in value.items()}
    return [all_visible(entry) for entry in value] if isinstance(value, list) else value


def few(items: Sequence[Any], most: int = 3) -> str:
    """The first few of many, and how many more there are."""
    more = len(items) - most
    return ", ".join(map(str, items[:most])) + (f" and {more} more" if more > 0 else "")
