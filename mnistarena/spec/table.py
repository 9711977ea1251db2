"""What all tables of a spec share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Table(BaseModel):
    """A table of the spec: strict, and without unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


TomlTable = dict[str, Any]
"""A table whose keys are checked later, by whoever it is for."""


class ComponentEntry(Table):
    """A component by name, with its parameters beside it: `{ name = "resize", size = 32 }`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, description="the component's name")

    @property
    def arguments(self) -> TomlTable:
        """Everything beside the name."""
        return dict(self.model_extra or {})
