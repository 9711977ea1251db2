"""Text made fit to show: control characters escaped, long lists cut, names turned into file names; labels chosen."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

# Control characters except tab and newline (a terminal obeys them), marks that reverse the direction of text
# (they deceive a reader), line separators, and lone surrogates (no UTF-8 can hold them).
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with every control character written as its escape, such as `\\x1b`."""
    return _HIDDEN.sub(lambda match: ascii(match.group())[1:-1], text)


def a(noun: str) -> str:
    """A noun with its article: "an optimizer"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def hidden(text: str) -> str | None:
    """The first control character of a text as its escape, or None."""
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


def byte_size(size: float) -> str:
    """Bytes for people: "812 MiB" or "2.41 GiB"."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def clock(seconds: float) -> str:
    """Seconds as on a clock: 0:42, 3:07, 1:02:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plural(number: int, noun: str, many: str = "") -> str:
    """A number and its noun, such as "1 seed" or "3 seeds"."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def drawn(seed: int, split: int | None) -> str:
    """What tells a trial from the others of its recipe: "seed 0", or "seed 0, split 2"."""
    return f"seed {seed}" if split is None else f"seed {seed}, split {split}"


def few(items: Sequence[Any], most: int = 3) -> str:
    """The first few of many, and how many more there are."""
    more = len(items) - most
    return ", ".join(map(str, items[:most])) + (f" and {more} more" if more > 0 else "")


def series(names: Iterable[str], limit: int = 6) -> str:
    """A list such as "a, b and c"; with more than `limit` names "a, b, c and 9 others"."""
    names = list(names)
    if len(names) > limit:
        names = [*names[: limit - 1], f"{len(names) - limit + 1} others"]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean "…"?` where something similar is known, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f'; did you mean "{close[0]}"?' if close else ""


def is_chosen(label: str, only: Sequence[str]) -> bool:
    """Whether a recipe is among those that `--only` names by patterns of labels; without any, all are."""
    return not only or any(label == pattern or fnmatch.fnmatchcase(label, pattern) for pattern in only)


def slug(text: str) -> str:
    """A label as part of a file name: letters, digits, dot, dash and underscore, at most 60 characters."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "unnamed"


def unique_slug(text: str) -> str:
    """As `slug`, with a digest where characters were lost: unlike labels never share a name."""
    short = slug(text)
    return short if short == text else f"{short}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
