"""Nested state as JSON and arrays: no pickle, so what is neither a tensor nor plain data cannot be kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.text import a

Arrays = Mapping[str, NDArray[Any]]


class Unusable(Exception):
    """A checkpoint that cannot be made, or that does not fit the training it was found with."""


def pack(value: Any, key: str, tensors: dict[str, torch.Tensor], owner: str) -> Any:
    """A value as JSON: tensors in it are put into `tensors`, under names that begin with `key`.

    Dicts, lists and tuples of tensors, numbers, booleans, texts and None can be kept; of anything else `Unusable` is
    raised, which says that `owner` keeps it.
    """
    if isinstance(value, torch.Tensor):
        tensors[key] = value
        return {"tensor": key}
    if isinstance(value, Mapping):
        return {"dict": [[_scalar(k, key, owner), pack(v, f"{key}/{k}", tensors, owner)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        packed = [pack(one, f"{key}/{i}", tensors, owner) for i, one in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": packed}
    return _scalar(value, key, owner)


def _scalar(value: Any, key: str, owner: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Unusable(f"{owner} keeps {a(type(value).__name__)} in {key.partition('/')[2] or key}")


def unpack(packed: Any, tensor: Callable[[str], torch.Tensor]) -> Any:
    """What `pack` was given; `tensor(name)` gives the tensors."""
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return tensor(value)
    if kind == "float":
        return float(value)
    if kind == "dict":
        return {unpack(k, tensor): unpack(v, tensor) for k, v in value}
    found = [unpack(one, tensor) for one in value]
    return tuple(found) if kind == "tuple" else found


def to_array(value: torch.Tensor) -> NDArray[Any]:
    """A tensor as NumPy holds it."""
    value = value.detach().cpu()
    # NumPy has no bfloat16 and no 8-bit floats: their bits travel as integers.
    if value.dtype.is_floating_point and value.dtype not in (torch.float16, torch.float32, torch.float64):
        value = value.view({1: torch.uint8, 2: torch.int16}[value.element_size()])
    return value.numpy()


def to_tensor(array: NDArray[Any], dtype: str) -> torch.Tensor:
    """The tensor of that dtype again."""
    value = torch.from_numpy(np.asarray(array))
    wanted = getattr(torch, dtype)
    return value if value.dtype == wanted else value.view(wanted)
