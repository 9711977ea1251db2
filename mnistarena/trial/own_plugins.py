"""The plugins that come with mnistarena, imported once in the process that workers start from, not in each of them."""

from __future__ import annotations

from mnistarena.plugin.discovery import discover_builtin
from mnistarena.spec.optimizers import optimizers

DIGESTS = {plugin.key: plugin.digest for plugin in discover_builtin()}
"""Read with their modules: where a file is changed later on, a worker must not take the new digest for its old code."""

optimizers()  # it reads torch's files, and keeps what it finds
