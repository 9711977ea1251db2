"""`[[model]]` tables of what was not trained here: predictions that were brought, figures that were published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from mnistarena.spec.schema import ModelTable
from mnistarena.spec.table import Table

_FILES = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_BY_SEED = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
_JSON = {"anyOf": [{"type": "string", "minLength": 1}, _FILES, _BY_SEED]}

_SHARE = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string"}]}

Given = str | list[Any] | dict[int, Any]
"""A pattern of files; files, or arrays of Python's, for seeds 0, 1, …; the same by seed."""

Label = Annotated[str, Field(min_length=1, max_length=80)]


def _as_given(value: object) -> Given:
    """The value, if it names predictions; raises ValueError."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Mapping) and value:
        seeds = [str(seed) for seed in value]
        if all(re.fullmatch(r"\d{1,9}", seed) for seed in seeds) and all(map(_is_one, value.values())):
            return dict(zip(map(int, seeds), value.values(), strict=True))
    if isinstance(value, (list, tuple)) and value and all(map(_is_one, value)):
        return list(value)
    raise ValueError(
        'must be a pattern of files such as "results/jax-*.csv", a list of files, or a table of a file for each seed'
    )


def _is_one(value: object) -> bool:
    """Whether a value may be the predictions of one seed: a file's path, or from Python an array."""
    return bool(value) if isinstance(value, str) else hasattr(value, "__array__")


def as_share(value: object) -> str:
    """A published accuracy as the text of a share, all its digits kept: 0.9911 or "99.11 %"; raises ValueError."""
    text = str(value).strip()
    sound = not isinstance(value, bool) and re.fullmatch(r"\d+(\.\d+)?(\s*%)?", text)
    if not sound or not 0 < float(text.rstrip("% ")) <= (100 if text.endswith("%") else 1):
        raise ValueError('must be a share such as 0.9911, or "99.11 %"')
    return text


class BroughtTable(Table):
    """`[[model]]` with `predictions`: a model that was trained elsewhere, judged by what it says of the test images."""

    predictions: Annotated[Any, BeforeValidator(_as_given), WithJsonSchema(_JSON)] = Field(
        description="pattern of CSV, Parquet or npz files, from the spec's folder; or a list of files, one a seed; or "
        'a table, { 0 = "a.csv", 1 = "b.csv" }; {dataset} in a path stands for the dataset\'s label'
    )
    label: Label = Field(description="unique")
    deterministic: bool = Field(
        False, description="its training does not depend on a seed: one file says all of it, as of logistic regression"
    )


class PublishedTable(Table):
    """`[[model]]` with `published`: a figure from elsewhere that is shown beside the others, without a verdict."""

    published: Annotated[str, BeforeValidator(as_share), WithJsonSchema(_SHARE)] = Field(
        description='the accuracy on the whole test split, with the digits that were published: 0.9911 or "99.11 %"'
    )
    label: Label = Field(description="unique")
    dataset: str | None = Field(None, description="label of the dataset that it is of, where the spec has several")


ModelTables = ModelTable | BroughtTable | PublishedTable
"""What a [[model]] may be."""

OF_KEYS: Mapping[str, type[BaseModel]] = {"predictions": BroughtTable, "published": PublishedTable}
"""The keys that make a [[model]] another table than one that is trained."""
