"""The ids of trials in JSON files."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""Hex digits, since it is part of a folder's name."""
