"""Reads TOML text into checked tables; every problem is kept, none stops the reading."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import tomli
from pydantic import BaseModel

from mnistarena.errors import PluginError, SpecError
from mnistarena.plugin.executor import PluginFile
from mnistarena.plugin.single_file import plugin_file
from mnistarena.spec import schema
from mnistarena.spec.brought import OF_KEYS, ModelTables
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.problems import Problems, Source, T, TomlTable
from mnistarena.spec.search import SearchTable
from mnistarena.text import did_you_mean, hidden

TABLES = ("benchmark", "dataset", "training", "search", "model", "evaluation")
KEYS = ("plugins", *TABLES)
"""What a document may hold at its top."""

IN_QUOTES = "in double quotes a backslash begins an escape; write a path in single quotes, or with forward slashes"


@dataclass(frozen=True)
class Damaged:
    """A table that has a problem, or stands where it must not: its place, and what is left without wrong keys.

    A key that is wrong may stand for any other one, so what is left is looked at by itself: nothing is concluded from
    what it lacks.
    """

    path: KeyPath
    table: BaseModel


@dataclass(frozen=True)
class Spec:
    """Checked tables. A table with a problem is None; its raw form is in `data`, what is left of it in `damaged`.

    `plugins` are the single-file plugins that the spec and the command name.
    """

    source: Source
    data: TomlTable
    _: KW_ONLY
    problems: Problems
    benchmark: schema.Benchmark | None
    datasets: list[schema.DatasetTable | None]
    models: list[ModelTables | None]
    evaluations: list[schema.EvaluationTable | None]
    search: SearchTable | None = None
    plugins: tuple[PluginFile, ...] = ()
    damaged: tuple[Damaged, ...] = ()

    @property
    def training_path(self) -> KeyPath:
        """Where [training] stands: the first where there are several, which is a problem."""
        return ("training", 0) if isinstance(self.data.get("training"), list) else ("training",)

    @property
    def training(self) -> TomlTable:
        """[training] as it stands in the document."""
        tables = self.data.get("training")
        (table,) = tables[:1] or [{}] if isinstance(tables, list) else [tables]
        return table if isinstance(table, dict) else {}


def read(spec: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Source, TomlTable]:
    """A spec's source and its raw tables, from a path or from a mapping of the same shape."""
    if isinstance(spec, Mapping):
        return Source("<spec>", _as_text(spec), base_dir=Path.cwd()), copy.deepcopy(dict(spec))
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
        escape = f"; {IN_QUOTES}" if re.search("Unescaped|hex|Unicode", str(problem)) else ""
        raise SpecError(f"{path}:{line}: not valid TOML: {getattr(problem, 'msg', problem)}{escape}") from None
    except RecursionError:
        raise SpecError(f"{path}:1: not valid TOML: nested too deeply") from None
    return Source(str(path), text, base_dir=path.parent.resolve()), data


def _as_text(spec: Mapping[str, Any]) -> str:
    import json

    return "# given to mnistarena.run() as a mapping:\n" + "".join(
        f"# {line}\n" for line in json.dumps(spec, indent=2, default=str).splitlines()
    )


def override(source: Source, data: TomlTable, arguments: Sequence[str]) -> None:
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


def _assign(data: TomlTable, argument: str, keys: list[str], value: Any) -> KeyPath:
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


def load_spec(
    spec: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str] = (), plugins: Sequence[object] = ()
) -> Spec:
    """Read a spec and check every table of it against the schema; problems are collected, not raised.

    `overrides` are `key=value` as --set has them; `plugins` are paths of further single-file plugins. Raises
    `SpecError` at once only where there is no document (no file, not UTF-8, not TOML), `PluginError` where one of
    `plugins` is not a Python file.
    """
    source, data = read(spec)
    override(source, data, overrides)
    problems = Problems(source, data)
    for key in data:
        if key not in KEYS:
            kind = "table" if isinstance(data[key], (dict, list)) else "key"
            problems.add((key,), f'unknown {kind} "{key}"{did_you_mean(key, KEYS) or "; known: " + ", ".join(KEYS)}')
    for path, sentence in _hidden(data, ()):
        problems.add(path, sentence)
    if "benchmark" not in data:
        problems.add((), "the table [benchmark] is missing")
    tables = _Tables(problems, data)
    benchmark = tables.one("benchmark", schema.Benchmark)
    tables.one("training", schema.Training)
    return Spec(
        source,
        data,
        problems=problems,
        benchmark=benchmark,
        datasets=tables.array("dataset", schema.DatasetTable),
        models=tables.array("model", schema.ModelTable, others=OF_KEYS),
        evaluations=tables.array("evaluation", schema.EvaluationTable, required=False),
        search=tables.one("search", SearchTable),
        plugins=_plugins(problems, data, plugins),
        damaged=tuple(tables.damaged),
    )


class _Tables:
    """The tables of a document, each checked, whatever is wrong with the others."""

    def __init__(self, problems: Problems, data: TomlTable) -> None:
        self.problems, self.data = problems, data
        self.damaged: list[Damaged] = []

    def one(self, key: str, kind: type[T]) -> T | None:
        """A table that stands once; None where it does not, or has a problem."""
        entries = self.data.get(key)
        if not isinstance(entries, list):
            return None if entries is None else self.check(kind, entries, (key,))
        self.problems.add((key,), f"must be one table: write [{key}], with one bracket on each side")
        for i, entry in enumerate(entries):
            self.check(kind, entry, (key, i), damaged=True)
        return None

    def array(
        self,
        key: str,
        kind: type[BaseModel],
        *,
        required: bool = True,
        others: Mapping[str, type[BaseModel]] | None = None,
    ) -> list[Any]:
        """The tables of an array of tables: of `kind`, or where they have a key of `others` of that one."""
        entries, others = self.data.get(key, []), others or {}
        if not isinstance(entries, list):
            self.problems.add((key,), f"must be an array of tables: write [[{key}]], with two brackets")
            if isinstance(entries, dict):
                self.check(_kind_of(entries, kind, others), entries, (key,), damaged=True)
            return []
        if not entries and required:
            self.problems.add((key,) if key in self.data else (), f"nothing to run: there is no [[{key}]]")
        return [self.check(_kind_of(entry, kind, others), entry, (key, i)) for i, entry in enumerate(entries)]

    def check(self, kind: type[T], value: Any, path: KeyPath, *, damaged: bool = False) -> T | None:
        """A table that is sound, or None; what is left of one that is not, or is `damaged`, is kept."""
        table = self.problems.check(kind, value, path)
        rest = self.problems.rest(kind, value) if table is None or damaged else None
        self.damaged += [] if rest is None else [Damaged(path, rest)]
        return table


def _kind_of(entry: Any, kind: type[BaseModel], others: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    """The model of a table: that of the first of its keys that has one of its own, else `kind`."""
    keys = entry if isinstance(entry, dict) else ()
    return next((other for key, other in others.items() if key in keys), kind)


def _plugins(problems: Problems, data: TomlTable, further: Sequence[object]) -> tuple[PluginFile, ...]:
    """The spec's single-file plugins, and those that the caller names, each once."""
    found: dict[str, PluginFile] = {}
    for file in map(plugin_file, further):
        _add(found, file)
    entries = data.get("plugins", [])
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        problems.add(("plugins",), '"plugins" must be a list of Python files, such as ["mine.py"]')
        return tuple(found.values())
    for i, entry in enumerate(entries):
        try:
            _add(found, plugin_file(problems.source.base_dir / entry))
        except PluginError as problem:
            problems.add(("plugins", i), str(problem))
    return tuple(found.values())


def _add(found: dict[str, PluginFile], file: PluginFile) -> None:
    other = found.setdefault(file.name, file)
    if other.digest != file.digest:
        raise PluginError(f"two plugins are called {file.name}.py: {other.path} and {file.path}; rename one")


def _hidden(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Paths of strings that hold control characters, which act on a terminal instead of showing; and what to say."""
    sentence = "a control character ({}) in a name or a text; a terminal would obey it"
    if isinstance(value, str) and (drive := re.match(r"([A-Za-z]:)([\x00-\x1f])", value)):
        yield path, f"{drive[1]} is followed by a control character ({ascii(drive[2])[1:-1]}); {IN_QUOTES}"
    elif isinstance(value, str) and (escape := hidden(value)):
        yield path, sentence.format(escape)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if escape := hidden(str(key)):
                yield path, sentence.format(escape)
            else:
                yield from _hidden(entry, (*path, key))
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            yield from _hidden(entry, (*path, i))


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> TomlTable:
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
