"""One version for the core and its plugins: `python -m release.version 0.2.0` writes it wherever it stands.

Which cores a plugin fits follows from it: before 1.0 those with the same second number, from then on those with the
same first number.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.version import InvalidVersion, Version

from release.projects import ROOT, projects

REQUIREMENT = re.compile(r"(?<=\bmnistarena)(?P<plugin>-[a-z0-9-]+)?>=[^\s,\"]+,<[^\s,\"`]+")
"""A requirement of the core or of one of its plugins, as in `mnistarena>=0.1,<0.2`."""


def fitting(version: Version) -> str:
    """The versions that fit this one, as a specifier such as ">=0.1,<0.2"."""
    first = str(version) if version.is_prerelease else f"{version.major}.{version.minor}"
    after = f"{version.major}.{version.minor + 1}" if version.major == 0 else str(version.major + 1)
    return f">={first},<{after}"


def write(version: Version, root: Path = ROOT) -> list[Path]:
    """Write the version into every file of the tree that holds it; returns those that changed."""
    core, *plugins = (project / "pyproject.toml" for project in projects(root))
    number = rf"\g<1>{version}\g<2>"
    edits = [
        (root / "mnistarena" / "version.py", r'^(__version__ = ")[^"]+(")', number),
        (root / "CITATION.cff", r"^(version: )\S+()", number),
        (root / "CHANGELOG.md", r"^(## )\S+( – unreleased)", number),
        *((path, r'^(version = ")[^"]+(")', number) for path in plugins),
        *(
            (path, REQUIREMENT.pattern, rf"\g<plugin>{fitting(version)}")
            for path in (core, *plugins, root / "docs" / "plugins.md", *root.glob("templates/plugin/common/*.toml.j2"))
        ),
    ]
    before = {path: path.read_text("utf-8") if path.is_file() else "" for path, _, _ in edits}
    after = dict(before)
    for path, pattern, replacement in edits:
        after[path], found = re.subn(pattern, replacement, after[path], flags=re.MULTILINE)
        if not found:
            raise SystemExit(f"error: {path} has nothing that fits /{pattern}/, where its version is to be written")
    changed = [path for path in after if after[path] != before[path]]
    for path in changed:
        path.write_text(after[path], "utf-8")
    return changed


def main(arguments: list[str]) -> None:
    """Read the version, write it, name the files."""
    try:
        (given,) = arguments
        version = Version(given)
        if version.local or version.epoch or len(version.release) != 3:
            raise InvalidVersion
    except ValueError:
        raise SystemExit("error: give one version of three numbers, such as 0.2.0 or 0.2.0rc1") from None
    for path in write(version):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
