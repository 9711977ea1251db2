"""Folders with a fixed place: templates, starter specs, and the cache of datasets."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from mnistarena.errors import StoreError

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The folder `name`, such as "templates" or "specs": inside the package of a wheel, beside it in a checkout."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise StoreError(f"this installation of mnistarena holds no {name!r} folder; install it again")


def data_dir() -> Path:
    """The folder in which datasets are cached."""
    return Path(platformdirs.user_cache_dir("mnistarena"))


def renamed(text: str, path: Path, name: str) -> str:
    """The text with a folder's path written as `name`: where it lies on this machine is for nobody else to read."""
    for written in (str(path.resolve()), str(path)):
        text = re.sub(rf"(?<![\w./-]){re.escape(written)}(?![\w.-])", lambda _: name, text)
    return text
