"""What all tables of a spec share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mnistarena.spec.problems import TomlTable


class Table(BaseModel):
    """A table of the spec: strict, and without unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class ComponentEntry(Table):
    """A component by name, with its parameters beside it: `{ name = "resize", size = 32 }`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, description="the component's name")

    @property
    def arguments(self) -> TomlTable:
        """Everything beside the name."""
        return dict(self.model_extra or {})
