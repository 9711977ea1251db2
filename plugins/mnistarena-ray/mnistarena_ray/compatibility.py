"""Whether this machine would compute the same figures as the driver: the same code, the same versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from mnistarena import __version__
from mnistarena.executors import Workload, core_digest, installed, source_digest, version

CORE = "mnistarena"
"""The key of the core's own source code."""


@dataclass(frozen=True)
class Requirements:
    """What the driver has: digests of sources, versions of distributions and packages, and Python's version.

    `sources` are by plugin, "distribution:plugin", and `distributions` has the version of each distribution.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    versions: Mapping[str, str | None] = field(default_factory=dict)
    python: str = field(default_factory=platform.python_version)


def requirements_of(work: Workload) -> Requirements:
    """What each node must have: the code and the versions of this machine, this plugin's own code included."""
    own = source_digest(str(Path(__file__).with_name("__init__.py")))
    return Requirements(
        {**installed_sources(work.sources), "mnistarena-ray:ray": own},
        {**work.distributions, "mnistarena-ray": version("mnistarena-ray") or __version__},
        versions=work.versions,
    )


def installed_sources(sources: Mapping[str, str]) -> dict[str, str]:
    """The sources that each node must have: not those of single-file plugins, which travel with each trial."""
    known = {CORE, *(plugin.key for plugin in installed().plugins)}
    return {key: digest for key, digest in sources.items() if key in known}


_last: list[tuple[Requirements, list[str]]] = []
"""The last requirements that this process compared, with the differences: the same come with every trial."""


def differences(requirements: Requirements) -> list[str]:
    """A clause for each thing that differs on this machine; empty where trials may run."""
    for known, found in _last:
        if known == requirements:
            return found
    found = [*_version_differences(requirements), *_source_differences(requirements)]
    _last[:] = [(requirements, found)]
    return found


def _version_differences(requirements: Requirements) -> list[str]:
    here = {name: version(name) for name in requirements.versions} | {"Python": platform.python_version()}
    required = {**requirements.versions, "Python": requirements.python}
    return [
        f"{name} is {here[name] or 'missing'}, not {wanted}"
        for name, wanted in required.items()
        if here[name] != wanted
    ]


def _source_differences(requirements: Requirements) -> list[str]:
    plugins = {plugin.key: plugin for plugin in installed().plugins}
    found: dict[str, None] = {}  # plugins of one distribution give the same clause: it is said once
    for key, digest in requirements.sources.items():
        distribution, _, name = key.partition(":")
        wanted = requirements.distributions.get(distribution, "?")
        plugin = plugins.get(key)
        if key == CORE:
            here, same = __version__, core_digest() == digest
        elif plugin is None:
            found[f"the plugin {name} ({distribution} {wanted}) is not installed"] = None
            continue
        elif plugin.status != "loaded":
            found[f"the plugin {name} ({distribution}) is {plugin.status}: {plugin.cause}"] = None
            continue
        else:
            here, same = plugin.version, plugin.digest == digest
        if here != wanted:
            found[f"{distribution} is {here}, not {wanted}"] = None
        elif not same:
            found[f"{distribution} {wanted} has other source code there"] = None
    return list(found)
