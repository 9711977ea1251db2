"""The JSON Schema (draft 2020-12) of a spec, for editors: with the parameters of everything that is installed.

`arena validate` says more: what fits together (shapes, labels, seeds, data that is there) no schema can say.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mnistarena.registry import Registry
from mnistarena.spec import optimizers, schema

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TABLES: tuple[type[BaseModel], ...] = (
    schema.Benchmark,
    schema.DatasetTable,
    schema.Training,
    schema.ModelTable,
    schema.EvaluationTable,
)


def json_schema(registry: Registry) -> Json:
    """The schema of the whole document; components that two plugins provide under one name are left out."""
    found = {kind: _definitions(registry, kind) for kind in ("model", "dataset", "transform", "metric")}
    everything = [params for of_kind in found.values() for params in of_kind.values()]
    unique = list(dict.fromkeys([*TABLES, *everything]))
    keys, whole = models_json_schema([(model, "validation") for model in unique], ref_template="#/$defs/{model}")
    defs: Json = copy.deepcopy(whole["$defs"])
    refs = {model: defs[keys[model, "validation"]["$ref"].rpartition("/")[2]] for model in unique}

    transform = _entries(found["transform"], refs, label=False)
    metric = _entries(found["metric"], refs, label=True)
    optimizer = _optimizer()
    benchmark, dataset, training, model, evaluation = (refs[table] for table in TABLES)
    defs["transform"], defs["metric"], defs["optimizer"] = transform, metric, optimizer
    benchmark["properties"]["metrics"]["items"] = {"$ref": "#/$defs/metric"}
    for table in (dataset, evaluation):
        table["properties"]["transforms"]["items"] = {"$ref": "#/$defs/transform"}
    model["properties"]["transforms"] = {
        **_described(model["properties"]["transforms"]),
        "type": "array",
        "items": {"$ref": "#/$defs/transform"},
    }
    training["properties"]["optimizer"] = {
        **_described(training["properties"]["optimizer"]),
        "$ref": "#/$defs/optimizer",
    }
    model["properties"]["training"] = {
        **_described(model["properties"]["training"]),
        "$ref": f"#/$defs/{_name(training, defs)}",
    }
    for table, kind in ((dataset, "dataset"), (model, "model")):
        table["properties"]["name"]["enum"] = list(found[kind])
        table["allOf"] = [_when_named(name, refs[params]) for name, params in found[kind].items()]
    model["properties"]["grid"] = {
        **_described(model["properties"]["grid"]),
        "type": "object",
        "additionalProperties": False,
        "properties": {part: {"type": "object", "additionalProperties": _LIST} for part in ("params", "training")},
    }
    evaluation["properties"]["transforms"]["items"] = {
        "anyOf": [
            {"$ref": "#/$defs/transform"},
            {"enum": list(found["transform"])},
        ]  # a severity may be what is missing
    }
    tables = {"benchmark": benchmark, "training": training, "dataset": dataset, "model": model}
    refer = {key: {"$ref": f"#/$defs/{_name(table, defs)}"} for key, table in tables.items()}
    refer["evaluation"] = {"$ref": f"#/$defs/{_name(evaluation, defs)}"}
    arrays = ("dataset", "model", "evaluation")
    return {
        "$schema": DIALECT,
        "title": "mnistarena spec",
        "type": "object",
        "additionalProperties": False,
        "required": ["benchmark", "dataset", "model"],
        "properties": {key: {"type": "array", "items": of} if key in arrays else of for key, of in refer.items()},
        "$defs": defs,
    }


_LIST = {"type": "array", "minItems": 1}


def _definitions(registry: Registry, kind: str) -> dict[str, type[BaseModel]]:
    components = registry.all(kind)
    names = [component.name for component in components]
    return {c.name: c.definition.params for c in components if names.count(c.name) == 1}


def _name(table: Json, defs: Json) -> str:
    return next(name for name, found in defs.items() if found is table)


def _described(entry: Json) -> Json:
    return {key: entry[key] for key in ("description", "default") if key in entry}


def _when_named(name: str, params: Json) -> Json:
    """Where a table names a component: its params. What they require, they require by being there at all."""
    then: Json = {"properties": {"params": params}}
    if params.get("required"):
        then["required"] = ["params"]
    return {"if": {"properties": {"name": {"const": name}}, "required": ["name"]}, "then": then}


def _entries(components: dict[str, type[BaseModel]], refs: dict[type[BaseModel], Json], *, label: bool) -> Json:
    """A component in a list: its name alone, or a table of the name and its parameters."""
    bare = [name for name, params in components.items() if not refs[params].get("required")]
    tables = []
    for name, params in components.items():
        own = refs[params]
        properties = {"name": {"const": name}, **own.get("properties", {})}
        if label:
            properties["label"] = {"type": "string", "description": "unique; defaults to the name"}
        tables.append(
            {
                "type": "object",
                "description": own.get("description", ""),
                "properties": properties,
                "required": ["name", *own.get("required", [])],
                "additionalProperties": False,
            }
        )
    return {"anyOf": [{"enum": bare}, *tables]}


def _optimizer() -> Json:
    """Any class of torch.optim with its own arguments; without a name, arguments that merge into the default's."""
    known = optimizers.optimizers()
    rules = [_arguments(name, optimizers.arguments(name)) for name in known]
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "a class of torch.optim, in any case", "examples": sorted(known)},
            "lr": {"type": "number", "exclusiveMinimum": 0, "description": "the learning rate"},
        },
        "allOf": rules,
    }


def _arguments(name: str, arguments: Iterable[str]) -> Json:
    allowed: Json = {"enum": ["name", *arguments]}
    letters = "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in name)
    named = {"properties": {"name": {"pattern": f"^{letters}$"}}, "required": ["name"]}
    return {"if": named, "then": {"propertyNames": allowed}}
