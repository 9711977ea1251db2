"""`arena new`: a plugin package for a new component, written from templates/plugin."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import jinja2

from mnistarena.errors import PluginError, StoreError, cannot_write
from mnistarena.paths import resource
from mnistarena.plugin.discovery import KINDS
from mnistarena.plugin.registry import Registry
from mnistarena.text import a

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
NAME_CHARACTERS = 40


def write_package(kind: str, name: str, *, parent: Path, registry: Registry) -> Path:
    """Write the package `arena-NAME` into a new folder of `parent`, and return that folder.

    Raises `PluginError` for a name that breaks the rule or is taken, `StoreError` where the folder is there already
    or cannot be written.
    """
    check_name(name, registry)
    words = re.split("[-_]", name)
    distribution, package = f"arena-{'-'.join(words)}", f"arena_{'_'.join(words)}"
    if importlib.util.find_spec(package) is not None:
        raise PluginError(f'a Python package {package} is installed already; choose another name than "{name}"')
    folder = parent / distribution
    context = {
        "kind": kind,
        "name": name,
        "distribution": distribution,
        "package": package,
        "class_name": "".join(word.capitalize() for word in words) + "Params",
    }
    try:
        folder.mkdir(parents=True)
        for path, text in render(kind, context).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise StoreError(f"{folder} is there already; remove it, choose another name, or give another --path") from None
    except OSError as problem:
        raise cannot_write(f"in {folder}", problem) from problem
    return folder


def check_name(name: str, registry: Registry) -> None:
    """Raises `PluginError` for a name that breaks the rule, or that an installed component has."""
    if not NAME.fullmatch(name) or len(name) > NAME_CHARACTERS:
        raise PluginError(
            f'"{name}" is not a name for a component: write lower-case letters and digits, words joined by single '
            f'hyphens or underscores, a letter first, at most {NAME_CHARACTERS} characters, such as "wide-mlp"'
        )
    for kind in KINDS:
        for component in registry.all(kind):
            if component.name == name:
                raise PluginError(f'there is {a(kind)} called "{name}" already, of {component.origin}; choose another')


def render(kind: str, context: dict[str, str]) -> dict[str, str]:
    """Every file of the package, its text by its path: those of `common`, then those of the kind."""
    templates = resource("templates") / "plugin"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    written = {}
    for part in ("common", kind):
        for source in sorted((templates / part).rglob("*.j2")):
            path = str(source.relative_to(templates / part)).removesuffix(".j2").replace("PACKAGE", context["package"])
            written[path] = environment.get_template(source.relative_to(templates).as_posix()).render(context)
    return written
