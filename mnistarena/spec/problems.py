"""The problems of a spec: each with file, line, place and a suggestion; none stops the reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mnistarena.errors import SpecError
from mnistarena.spec.lines import Path as KeyPath, line_of
from mnistarena.text import did_you_mean

T = TypeVar("T", bound=BaseModel)

TomlTable = dict[str, Any]
"""A table as it stands in the document, before it is checked."""


@dataclass
class Source:
    """A spec's text and where it came from; `overrides` are the paths that --set changed."""

    name: str
    text: str
    _: KW_ONLY
    base_dir: Path
    overrides: list[tuple[str, KeyPath]] = field(default_factory=list)

    def recorded(self) -> str:
        """The text for the run folder: the file's, under a comment for each override."""
        return "".join(f"# --set {argument}\n" for argument, _ in self.overrides) + self.text

    def line(self, path: KeyPath) -> int:
        """The line of a key, from 1; 0 where --set gave it."""
        given = any(path[: len(changed)] == changed for _, changed in self.overrides)
        return 0 if given else line_of(self.text, path)

    def where(self, path: KeyPath, data: Mapping[str, Any]) -> str:
        """`file:line: model[2] "vit"` for a key's path."""
        for argument, changed in self.overrides:
            if path[: len(changed)] == changed:
                place = f"--set {argument}"
                break
        else:
            place = f"{self.name}:{line_of(self.text, path)}"
        return ": ".join(part for part in (place, _table_name(path, data)) if part)


def _table_name(path: KeyPath, data: Mapping[str, Any]) -> str:
    if not path:
        return ""
    head = str(path[0])
    if len(path) > 1 and isinstance(path[1], int):
        head += f"[{path[1] + 1}]"
        entries = data.get(str(path[0]))
        table = entries[path[1]] if isinstance(entries, list) and path[1] < len(entries) else None
        if isinstance(table, dict) and isinstance(table.get("label", table.get("name")), str):
            head += f' "{table.get("label", table.get("name"))}"'
    return head


class Problems:
    """The problems of one spec, each with its place."""

    def __init__(self, source: Source, data: Mapping[str, Any]) -> None:
        self.source, self.data = source, data
        self.found: dict[str, int] = {}
        """Each problem with its line."""

    def add(self, path: KeyPath, message: str) -> None:
        """Record a problem at a key."""
        self.found.setdefault(f"{self.source.where(path, self.data)}: {message}", self.source.line(path))

    def check(self, model: type[T], value: Any, path: KeyPath, *, noun: str = "key") -> T | None:
        """`value` as `model`, or None with every problem of it recorded."""
        try:
            return model.model_validate(value)
        except ValidationError as problem:
            for error in problem.errors(include_url=False):
                inner = tuple(part for part in error["loc"][:-1] if not _is_union_tag(part))
                # A key that is too much or missing ends the path by its own name, whatever that looks like.
                if error["loc"] and (
                    error["type"] in ("extra_forbidden", "missing") or not _is_union_tag(error["loc"][-1])
                ):
                    inner = (*inner, error["loc"][-1])
                self.add((*path, *inner), describe(error, model, inner, noun))
            return None

    def rest(self, model: type[T], value: Any) -> T | None:
        """A table without its keys that are wrong, in which others may be wrong, too; None where that is no table."""
        wrong: set[str | int] = set()
        try:
            return model.model_validate(value)
        except ValidationError as problem:
            wrong |= {error["loc"][0] for error in problem.errors(include_url=False) if error["loc"]}
        if not isinstance(value, dict) or not wrong:
            return None
        try:
            return model.model_validate({key: entry for key, entry in value.items() if key not in wrong})
        except ValidationError:
            return None

    def stop(self) -> None:
        """Raise `SpecError` if anything was recorded, in the order of the spec's lines."""
        if self.found:
            raise SpecError(sorted(self.found, key=lambda problem: self.found[problem]))


def _is_union_tag(part: str | int) -> bool:
    # pydantic names the branch of a union in the path: "str", "ComponentEntry", "function-after[…]"
    return isinstance(part, str) and (part in ("str", "ComponentEntry", "int", "float") or "[" in part)


def describe(error: Mapping[str, Any], model: type[BaseModel], inner: KeyPath, noun: str) -> str:
    """One sentence for one pydantic error."""
    key = ".".join(str(part) for part in inner)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        fields = _fields(model, inner[:-1])
        hint = did_you_mean(str(inner[-1]), fields)
        return f'unknown {noun} "{key}"' + (hint or f"; known: {', '.join(fields) or 'none'}")
    if kind == "missing":
        return f'"{key}" is missing'
    if kind == "literal_error":
        return f'"{key}" must be {context["expected"]}, not {_shown(error["input"])}'
    if kind == "value_error":
        text = str(context["error"])
        return f'"{key}" {text}, not {_shown(error["input"])}' if text.startswith("must") else text
    if kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return f'"{key}" must have {bound} entries, not {context["actual_length"]}'
    if kind in ("model_type", "dict_type"):
        return (f'"{key}" ' if key else "") + f"must be a table, not {_shown(error['input'])}"
    message = error["msg"].removeprefix("Input ").replace("should", "must", 1)
    return f'"{key}" {message}, not {_shown(error["input"])}' if key else message


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    for part in path:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        # Of a union such as `Average | None`, the branch that is a table.
        branches = [get_args(one)[0] if get_origin(one) is Annotated else one for one in get_args(annotation)]
        tables = [one for one in (annotation, *branches) if isinstance(one, type) and issubclass(one, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else text[:57] + "…"
