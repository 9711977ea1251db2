"""The JSON Schema (draft 2020-12) of a spec, for editors: with the parameters of everything that is installed.

`arena validate` says more: what fits together (shapes, labels, seeds, data that is there) no schema can say.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mnistarena.plugin.registry import Registry
from mnistarena.spec import optimizers, schema
from mnistarena.spec.brought import OF_KEYS
from mnistarena.spec.search import ACCURACY, LOSS, SearchTable

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEYS: tuple[tuple[str, type[BaseModel], bool], ...] = (
    ("benchmark", schema.Benchmark, False),
    ("training", schema.Training, False),
    ("search", SearchTable, False),
    ("dataset", schema.DatasetTable, True),
    ("model", schema.ModelTable, True),
    ("evaluation", schema.EvaluationTable, True),
)
"""Each key of the document, its table, and whether there are several."""
_KINDS = ("model", "dataset", "transform", "metric", "optimizer", "loss", "schedule", "augmentation", "searcher")
TABLES = (*(table for _, table, _ in _KEYS), *OF_KEYS.values())


def json_schema(registry: Registry) -> Json:
    """The schema of the whole document; components that two plugins provide under one name are left out."""
    found = {kind: _definitions(registry, kind) for kind in _KINDS}
    everything = [params for of_kind in found.values() for params in of_kind.values()]
    unique = list(dict.fromkeys([*TABLES, *everything]))
    keys, whole = models_json_schema([(model, "validation") for model in unique], ref_template="#/$defs/{model}")
    defs: Json = copy.deepcopy(whole["$defs"])
    refs = {model: defs[keys[model, "validation"]["$ref"].rpartition("/")[2]] for model in unique}

    defs["transform"] = _entries(found["transform"], refs, label=False)
    defs["metric"] = _entries(found["metric"], refs, label=True)
    for kind in ("loss", "augmentation", "searcher"):
        defs[kind] = _entries(found[kind], refs, label=False)
    defs["schedule"] = _schedule(found["schedule"], refs, defs["Schedule"])
    defs["optimizer"] = _optimizer(found["optimizer"], refs)
    _complete({table: refs[table] for table in TABLES}, defs)
    for kind, fields in (("dataset", refs[schema.DatasetTable]), ("model", refs[schema.ModelTable])):
        fields["properties"]["name"]["enum"] = list(found[kind])
        fields["allOf"] = [_when_named(name, refs[params]) for name, params in found[kind].items()]
    # A severity may be what is missing from a transform in an evaluation.
    refs[schema.EvaluationTable]["properties"]["transforms"]["items"] = {
        "anyOf": [{"$ref": "#/$defs/transform"}, {"enum": list(found["transform"])}]
    }
    properties: Json = {"plugins": _PLUGINS}
    for key, table, several in _KEYS:
        one: Json = {"$ref": f"#/$defs/{_name(refs[table], defs)}"}
        if table is schema.ModelTable:
            for mark, other in OF_KEYS.items():
                one = {"if": {"required": [mark]}, "then": {"$ref": f"#/$defs/{_name(refs[other], defs)}"}, "else": one}
        properties[key] = {"type": "array", "items": one} if several else one
    return {
        "$schema": DIALECT,
        "title": "mnistarena spec",
        "type": "object",
        "additionalProperties": False,
        "required": ["benchmark", "dataset", "model"],
        "properties": properties,
        "$defs": defs,
    }


def _complete(tables: dict[type[BaseModel], Json], defs: Json) -> None:
    """Add to the tables what their pydantic models leave open: transforms, metrics, optimizer, training, grid."""
    transforms = {"type": "array", "items": {"$ref": "#/$defs/transform"}}
    tables[schema.Benchmark]["properties"]["metrics"]["items"] = {"$ref": "#/$defs/metric"}
    tables[schema.DatasetTable]["properties"]["transforms"]["items"] = transforms["items"]
    training, model = tables[schema.Training]["properties"], tables[schema.ModelTable]["properties"]
    for key in ("optimizer", "schedule", "loss"):
        training[key] = {**_described(training[key]), "$ref": f"#/$defs/{key}"}
    training["augmentations"]["items"] = {"$ref": "#/$defs/augmentation"}
    training["monitor"] = {
        **_described(training["monitor"]),
        "anyOf": [{"enum": ["accuracy", "loss"]}, {"$ref": "#/$defs/metric"}],
    }
    search = tables[SearchTable]["properties"]
    search["searcher"] = {**_described(search["searcher"]), "$ref": "#/$defs/searcher"}
    looked_at = [{"enum": [LOSS, ACCURACY]}, {"$ref": "#/$defs/metric"}]
    search["by"] = {**_described(search["by"]), "anyOf": looked_at}
    group = defs["ParameterGroup"]
    group["properties"]["optimizer"] = {**_described(group["properties"]["optimizer"]), "$ref": "#/$defs/optimizer"}
    model["transforms"] = {**_described(model["transforms"]), **transforms}
    model["training"] = {
        **_described(model["training"]),
        "$ref": f"#/$defs/{_name(tables[schema.Training], defs)}",
    }
    model["grid"] = {
        **_described(model["grid"]),
        "type": "object",
        "additionalProperties": False,
        "properties": {part: {"type": "object", "additionalProperties": _LIST} for part in ("params", "training")},
    }


_LIST: Json = {"type": "array", "minItems": 1}
_PLUGINS: Json = {
    "type": "array",
    "items": {"type": "string", "pattern": r"\.py$"},
    "description": "plugins that are single Python files, from the spec's folder",
}


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


def _schedule(components: dict[str, type[BaseModel]], refs: dict[type[BaseModel], Json], table: Json) -> Json:
    """A schedule's table: the warm-up and the parameters of its name; without a name, those of any."""
    own = {name: refs[params].get("properties", {}) for name, params in components.items()}
    everything = [key for properties in own.values() for key in properties]
    rules = []
    for name, properties in own.items():
        allowed: Json = {"enum": [*table["properties"], *properties]}
        named = {"properties": {"name": {"const": name}}, "required": ["name"]}
        rules.append({"if": named, "then": {"properties": properties, "propertyNames": allowed}})
    names = {**table["properties"]["name"], "enum": list(components)}
    known: Json = {key: {} for key in everything} | {**table["properties"], "name": names}
    return {"type": "object", "properties": known, "additionalProperties": False, "allOf": rules}


def _optimizer(plugins: dict[str, type[BaseModel]], refs: dict[type[BaseModel], Json]) -> Json:
    """Any class of torch.optim, or a plugin's, with its own arguments; without a name, some that merge into others."""
    known = optimizers.optimizers()
    rules = [_arguments(name, optimizers.arguments(name)) for name in known]
    rules += [_arguments(name, refs[params]["properties"]) for name, params in plugins.items()]
    return {
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "description": "a class of torch.optim, in any case, or a plugin's",
                "examples": sorted({*known, *plugins}),
            },
            "lr": {"type": "number", "exclusiveMinimum": 0, "description": "the learning rate"},
        },
        "allOf": rules,
    }


def _arguments(name: str, arguments: Iterable[str]) -> Json:
    allowed: Json = {"enum": ["name", *arguments]}
    letters = "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in name)
    named = {"properties": {"name": {"pattern": f"^{letters}$"}}, "required": ["name"]}
    return {"if": named, "then": {"propertyNames": allowed}}
