"""From TOML text to checked tables; every problem is kept, none stops the reading."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tomli
from pydantic import BaseModel, ValidationError

from mnistarena.errors import SpecError
from mnistarena.registry import did_you_mean
from mnistarena.spec import schema
from mnistarena.spec.locate import Path as KeyPath, line_of
from mnistarena.text import hidden

T = TypeVar("T", bound=BaseModel)

TABLES = ("benchmark", "dataset", "training", "model", "evaluation")


@dataclass
class Source:
    """A spec's text and where it came from; `overrides` are the paths that --set changed."""

    name: str
    text: str
    base_dir: Path
    overrides: list[tuple[str, KeyPath]] = field(default_factory=list)

    def recorded(self) -> str:
        """The text for the run folder: the file's, under a comment for each override."""
        return "".join(f"# --set {argument}\n" for argument, _ in self.overrides) + self.text

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
        self.found: list[str] = []

    def add(self, path: KeyPath, message: str) -> None:
        """Record a problem at a key."""
        line = f"{self.source.where(path, self.data)}: {message}"
        if line not in self.found:
            self.found.append(line)

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

    def stop(self) -> None:
        """Raise `SpecError` if anything was recorded."""
        if self.found:
            raise SpecError(self.found)


def _is_union_tag(part: str | int) -> bool:
    # pydantic names the branch of a union in the path: "str", "Component", "function-after[…]"
    return isinstance(part, str) and (part in ("str", "Component", "int", "float") or "[" in part)


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
    message = error["msg"].removeprefix("Input ").replace("should", "must", 1)
    return f'"{key}" {message}, not {_shown(error["input"])}' if key else message


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    for part in path:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else text[:57] + "…"


@dataclass(frozen=True)
class Spec:
    """Checked tables. A table with a problem is None; its raw form is in `data`."""

    source: Source
    data: dict[str, Any]
    problems: Problems
    benchmark: schema.Benchmark | None
    datasets: list[schema.DatasetTable | None]
    models: list[schema.ModelTable | None]
    evaluations: list[schema.EvaluationTable | None]


def read(spec: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Source, dict[str, Any]]:
    """A spec's source and its raw tables, from a path or from a mapping of the same shape."""
    if isinstance(spec, Mapping):
        return Source("<spec>", _as_text(spec), Path.cwd()), copy.deepcopy(dict(spec))
    path = Path(spec)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        near = did_you_mean(path.name, beside, cutoff=0.8)
        raise SpecError(f"{path}: no such file{near or '; arena init writes starter specs'}") from None
    except OSError as problem:
        raise SpecError(f"{path}: cannot be read: {problem.strerror}") from problem
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise SpecError(f"{path}:{line}: not UTF-8 text (byte {problem.start})") from None
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as problem:
        line = getattr(problem, "lineno", None) or 1
        raise SpecError(f"{path}:{line}: not valid TOML: {getattr(problem, 'msg', problem)}") from None
    except RecursionError:
        raise SpecError(f"{path}:1: not valid TOML: nested too deeply") from None
    return Source(str(path), text, path.parent.resolve()), data


def _as_text(spec: Mapping[str, Any]) -> str:
    import json

    return "# given to mnistarena.run() as a mapping:\n" + "".join(
        f"# {line}\n" for line in json.dumps(spec, indent=2, default=str).splitlines()
    )


def override(source: Source, data: dict[str, Any], arguments: tuple[str, ...]) -> None:
    """Apply `--set key.path=value`; an array of tables is entered by label or name."""
    for argument in arguments:
        key, value = setting(argument)
        source.overrides.append((argument, _assign(data, argument, key.split("."), value)))


def setting(argument: str) -> tuple[str, Any]:
    """The key and the value of `--set key=value`: TOML where it is some, else the text itself."""
    key, separator, text = argument.partition("=")
    if not separator or not key.strip():
        raise SpecError(f"--set {argument}: write KEY=VALUE, such as --set training.epochs=1")
    try:
        value = tomli.loads(f"v = {text}")["v"]
    except tomli.TOMLDecodeError:
        value = text.strip()
    return key.strip(), value


def _assign(data: dict[str, Any], argument: str, keys: list[str], value: Any) -> KeyPath:
    table: Any = data
    path: KeyPath = ()
    keys = list(keys)
    while keys:
        key = keys.pop(0)
        if not keys:
            table[key] = value
            return (*path, key)
        table, path = table.setdefault(key, {}), (*path, key)
        if isinstance(table, list):
            names = [str(t.get("label", t.get("name"))) if isinstance(t, dict) else "" for t in table]
            if keys[0] not in names:
                known = ", ".join(name for name in names if name)
                raise SpecError(f'--set {argument}: no {key} is called "{keys[0]}"; there are: {known}')
            index = names.index(keys.pop(0))
            table, path = table[index], (*path, index)
        if not isinstance(table, dict) or not keys:
            raise SpecError(f"--set {argument}: {'.'.join(map(str, path))} is not a key that can be set")
    return path


def load(spec: str | os.PathLike[str] | Mapping[str, Any], overrides: tuple[str, ...] = ()) -> Spec:
    """Read a spec and check every table of it against the schema; problems are collected, not raised.

    Raises `SpecError` at once only where there is no document: no file, no UTF-8, no TOML.
    """
    source, data = read(spec)
    override(source, data, overrides)
    problems = Problems(source, data)
    for key in data:
        if key not in TABLES:
            kind = "table" if isinstance(data[key], (dict, list)) else "key"
            problems.add(
                (key,),
                f'unknown {kind} "{key}"{did_you_mean(key, TABLES) or "; known: " + ", ".join(TABLES)}',
            )

    for path, escape in _hidden(data, ()):
        problems.add(path, f"a control character ({escape}) in a name or a text; a terminal would obey it")
    if "benchmark" not in data:
        problems.add((), "the table [benchmark] is missing")
    benchmark = problems.check(schema.Benchmark, data.get("benchmark", {"name": "unnamed"}), ("benchmark",))
    tables: dict[str, list[Any]] = {}
    kinds = (("dataset", schema.DatasetTable), ("model", schema.ModelTable), ("evaluation", schema.EvaluationTable))
    for key, model in kinds:
        entries = data.get(key, [])
        if not isinstance(entries, list):
            problems.add((key,), f"must be an array of tables: write [[{key}]], with two brackets")
            entries = []
        elif not entries and key != "evaluation":
            problems.add((key,) if key in data else (), f"nothing to run: there is no [[{key}]]")
        tables[key] = [problems.check(model, entry, (key, i)) for i, entry in enumerate(entries)]
    if "training" in data:
        problems.check(schema.Training, data["training"], ("training",))
    return Spec(source, data, problems, benchmark, tables["dataset"], tables["model"], tables["evaluation"])


def _hidden(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Where a string of the document holds characters that act instead of showing."""
    if isinstance(value, str) and (escape := hidden(value)):
        yield path, escape
    elif isinstance(value, dict):
        for key, entry in value.items():
            if escape := hidden(str(key)):
                yield path, escape
            else:
                yield from _hidden(entry, (*path, key))
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from _hidden(entry, (*path, i))


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` over `base`, key by key; lists replace; another `name` replaces its whole table."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            renamed = "name" in value and value["name"] != old.get("name", value["name"])
            merged[key] = dict(value) if renamed else merge(old, value)
        else:
            merged[key] = value
    # The two ways to say how long exclude each other: the nearer one wins.
    if "steps" in changes and "epochs" not in changes:
        merged.pop("epochs", None)
    if "epochs" in changes and "steps" not in changes:
        merged.pop("steps", None)
    return merged
