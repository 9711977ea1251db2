"""JSON files of this version's format, and errors that say how to get a damaged file again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mnistarena.errors import StoreError
from mnistarena.store.files import from_json, read_bytes

T = TypeVar("T")

FORMAT = 2
"""The version of the run folder's layout, written into plan.json and every trial.json."""

ADVICE = "; run the spec again to compute it again"


def read_json(path: Path) -> dict[str, Any]:
    """An object of this format; raises `StoreError`."""
    return parse_json(read_bytes(path), path)


def parse_json(raw: bytes, path: Path) -> dict[str, Any]:
    """The object in a file's content; raises `StoreError`."""
    try:
        value = from_json(raw)
    except ValueError as problem:
        raise StoreError(f"cannot read {path}: not JSON: {problem}") from None
    if not isinstance(value, dict) or value.get("format", FORMAT) != FORMAT:
        raise StoreError(f"{path} was written by another version of mnistarena (format {FORMAT} is wanted)")
    return value


def with_advice(read: Callable[[Path], T], path: Path) -> T:
    """What `read` returns; where it cannot, its error says what to do."""
    try:
        return read(path)
    except StoreError as problem:
        raise StoreError(f"{problem}{ADVICE}") from problem
