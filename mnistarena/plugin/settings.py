"""What stands by name in a spec and in records, and what only a plugin's `Params` know the types of."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]
"""Values by name, as TOML and JSON have them."""
