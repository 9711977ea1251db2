"""Where the files that are not Python live: templates and starter specs."""

from __future__ import annotations

from pathlib import Path

from mnistarena.errors import StoreError

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The folder `name`, such as "templates" or "specs": the wheel's copy first, else the checkout's."""
    for folder in (_PACKAGE / "_resources" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise StoreError(f"this installation of mnistarena holds no {name!r} folder; install it again")
