"""Finds the line of a key, by its path; used only when there is an error to show.

No TOML parser keeps the positions of valid keys, so this walks a document that tomli has already
accepted, and may therefore be lenient about everything but structure.
"""

from __future__ import annotations

import re
from typing import Any

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text.replace("\r\n", "\n"), 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}
        self.line_no, self.line_at = 1, 0

    def line(self) -> int:
        self.line_no += self.text.count("\n", self.line_at, self.at)
        self.line_at = self.at
        return self.line_no

    def peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def skip(self, newlines: bool) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in " \t" or (newlines and char == "\n"):
                self.at += 1
            else:
                return

    def string(self) -> str:
        quote = self.text[self.at]
        triple = self.peek(quote * 3)
        end = self.at + (3 if triple else 1)
        start, stop = end, quote * 3 if triple else quote
        while end < len(self.text) and not self.text.startswith(stop, end):
            end += 2 if quote == '"' and self.text[end] == "\\" else 1
        raw = self.text[start:end]
        while triple and self.text.startswith(quote, end + 3):  # up to two more quotes belong to the text
            end += 1
        self.at = end + len(stop)
        return raw

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip(newlines=False)
            if self.text[self.at] in "\"'":
                parts.append(self.string())
            else:
                match = _BARE.match(self.text, self.at)
                if match is None:
                    raise ValueError("a key was expected")
                parts.append(match.group())
                self.at = match.end()
            self.skip(newlines=False)
            if not self.peek("."):
                return parts
            self.at += 1

    def note(self, base: Path, parts: list[str]) -> Path:
        line = self.line()
        for part in parts:
            base = (*base, part)
            self.lines.setdefault(base, line)
        return base

    def pair(self, base: Path) -> None:
        path = self.note(base, self.key())
        self.at += 1  # the equals sign
        self.value(path)

    def value(self, path: Path) -> None:
        self.skip(newlines=False)
        self.lines.setdefault(path, self.line())
        char = self.text[self.at]
        if char in "\"'":
            self.string()
        elif char == "[":
            self.items("]", lambda index: self.value((*path, index)))
        elif char == "{":
            self.items("}", lambda index: self.pair(path))
        else:
            match = _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1

    def items(self, close: str, read: Any) -> None:
        self.at += 1
        index = 0
        while True:
            self.skip(newlines=True)
            if self.at >= len(self.text) or self.peek(close):
                self.at += 1
                return
            if self.peek(","):
                self.at += 1
                continue
            read(index)
            index += 1

    def resolve(self, parts: list[str]) -> Path:
        """A header's path, through the latest element of each array of tables on the way."""
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def document(self) -> dict[Path, int]:
        base: Path = ()
        while True:
            self.skip(newlines=True)
            if self.at >= len(self.text):
                return self.lines
            if self.peek("[["):
                self.at += 2
                parts = self.key()
                self.at += 2
                parent = self.resolve(parts[:-1])
                array = (*parent, parts[-1])
                self.counts[array] = self.counts.get(array, 0) + 1
                base = (*array, self.counts[array] - 1)
                self.lines.setdefault(array, self.line())
                self.lines[base] = self.line()
            elif self.peek("["):
                self.at += 1
                parts = self.key()
                self.at += 1
                base = self.resolve(parts)
                self.lines.setdefault(base, self.line())
            else:
                self.pair(base)


def line_of(text: str, path: Path) -> int:
    """The line (from 1) of the key at `path`, or of the nearest table around it; 1 where there is none."""
    scanner = _Scanner(text)
    try:
        lines = scanner.document()
    except (IndexError, ValueError, RecursionError):
        lines = scanner.lines  # what was read so far still serves
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
