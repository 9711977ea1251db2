"""Is this machine like the driver's, as far as figures depend on it? The same code, the same versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mnistarena import environment
from mnistarena.plugins import CORE, Plugin, source_digest
from mnistarena.registry import installed
from mnistarena.version import __version__


@dataclass(frozen=True)
class Needs:
    """What the driver has: digests of sources, versions of distributions and packages, and Python's."""

    sources: Mapping[str, str] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    python: str = field(default_factory=platform.python_version)


_asked: list[tuple[Needs, list[str]]] = []


def differences(needs: Needs) -> list[str]:
    """A clause for each thing that is otherwise here; empty where a trial may run. Asked once in a process."""
    for asked, found in _asked:
        if asked == needs:
            return found
    found = [*_packages(needs), *_sources(needs)]
    _asked[:] = [(needs, found)]
    return found


def _packages(needs: Needs) -> list[str]:
    here = {name: environment.version(name) for name in needs.versions} | {"Python": platform.python_version()}
    wanted = {**needs.versions, "Python": needs.python}
    return [
        f"{name} is {here[name] or 'missing'}, not {version}"
        for name, version in wanted.items()
        if here[name] != version
    ]


def _sources(needs: Needs) -> list[str]:
    plugins = {f"{plugin.distribution}:{plugin.name}": plugin for plugin in installed().plugins}
    found: dict[str, None] = {}
    for key, digest in needs.sources.items():
        distribution, _, name = key.partition(":")
        wanted = needs.distributions.get(distribution, "?")
        if key == CORE:
            core = Path(environment.__file__).with_name("__init__.py")
            here = Plugin(CORE, CORE, __version__)
            same = source_digest(str(core)) == digest
        elif key not in plugins:
            found[f"the plugin {name} ({distribution} {wanted}) is not installed"] = None
            continue
        else:
            here = plugins[key]
            if here.status != "loaded":
                found[f"the plugin {name} ({distribution}) is {here.status}: {here.cause}"] = None
                continue
            same = here.digest == digest
        if here.version != wanted:
            found[f"{distribution} is {here.version}, not {wanted}"] = None
        elif not same:
            found[f"{distribution} {wanted} has other source code there"] = None
    return list(found)
