"""Puts a module back as it was: its tensors, its plain attributes and the random streams, without a copy of it."""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mnistarena.engine.random_state import capture_streams, restore_streams

_FOREIGN = {*sys.stdlib_module_names, "torch", "numpy"}
"""Packages whose objects are left alone, apart from containers, tensors, arrays and generators."""


@contextmanager
def unchanged(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Whatever happens to `model` in the block is undone after it, also where the block raises.

    Put back are parameters, buffers and other tensors, attributes of every submodule (containers and objects of the
    model's own classes with what is in them), generators that it holds, the training mode, and the random streams of
    torch, NumPy and Python. Gradients are None afterwards. Nothing is copied but tensors and containers, so that
    modules that `copy.deepcopy` refuses will do. A lazy module must have seen images before: what is not initialised
    yet is left as the block leaves it.
    """
    kept = Kept(model)
    drawn, generators = capture_streams(device)
    try:
        yield
    finally:
        kept.restore()
        restore_streams(drawn, generators, device)
        for parameter in model.parameters():
            parameter.grad = None


class Kept:
    """What `objects` hold, so that `restore` can put it back as often as wanted: modules, containers, tensors."""

    def __init__(self, *objects: Any) -> None:
        self.undo: list[Callable[[], object]] = []
        self.plain: list[tuple[Callable[[], Any], Any]] = []
        """What is on the host: how to look at it, and how it looked."""
        self.seen: dict[int, Any] = {}
        """By id; the objects too, so that no id is given to another."""
        self.storages: set[int] = set()
        for one in objects:
            self.visit(one)

    def restore(self) -> None:
        """Put everything back."""
        for undo in self.undo:
            undo()

    def host_changed(self) -> bool:
        """Whether something has changed other than a tensor in place.

        That is a number or text in a container, a generator, or which tensor is a parameter or buffer of a module.
        """
        return any(now() != before for now, before in self.plain)

    def visit(self, value: Any) -> None:
        """Keep a value and what it holds, each once."""
        if id(value) in self.seen or isinstance(value, (type, FunctionType, MethodType, ModuleType)):
            return
        self.seen[id(value)] = value
        if isinstance(value, torch.Tensor):
            self.tensor(value)
        elif isinstance(value, nn.Module):
            own = *value._parameters.values(), *value._buffers.values()
            if not any(one is not None and is_lazy(one) for one in own):
                self.container(vars(value))
                self.plain.append((lambda: _tensors_of(value), _tensors_of(value)))
            for child in value.children():
                self.visit(child)
        elif isinstance(value, (dict, list, set, deque)):
            self.container(value)
        elif isinstance(value, tuple):
            for one in value:
                self.visit(one)
        elif isinstance(value, np.ndarray) and value.flags.writeable:
            array = value.copy()
            self.undo.append(lambda: np.copyto(value, array))
        elif not self.generator(value) and type(value).__module__.partition(".")[0] not in _FOREIGN:
            self.visit(getattr(value, "__dict__", None))

    def container(self, value: Any) -> None:
        """Keep the contents of a dict, list, set or deque, and what they hold."""
        contents = value.copy()

        def undo() -> None:
            value.clear()
            (value.update if isinstance(value, (dict, set)) else value.extend)(contents)

        self.undo.append(undo)
        self.plain.append((lambda: _plain(value), _plain(value)))
        for one in list(contents.values()) if isinstance(contents, dict) else list(contents):
            self.visit(one)

    def tensor(self, value: torch.Tensor) -> None:
        """Keep a tensor's memory, once where several share it, and which memory it is."""
        if is_lazy(value) or value.layout != torch.strided or value.is_meta:
            return
        data, storage, requires_grad = value.detach(), value.untyped_storage(), value.requires_grad
        self.visit(getattr(value, "__dict__", None))

        def point_back() -> None:
            if value.data_ptr() != data.data_ptr() or value.stride() != data.stride() or value.shape != data.shape:
                value.data = data
            if value.is_leaf and value.requires_grad != requires_grad:
                value.requires_grad_(requires_grad)

        self.undo.append(point_back)
        if storage.data_ptr() not in self.storages:
            self.storages.add(storage.data_ptr())
            memory = storage.clone()
            self.undo.append(lambda: storage.copy_(memory))

    def generator(self, value: Any) -> bool:
        """Keep where a random generator stands; False of anything else."""
        if isinstance(value, torch.Generator):
            state = value.get_state()
            self.undo.append(lambda: value.set_state(state))
            self.plain.append((lambda: value.get_state().tolist(), state.tolist()))
        elif isinstance(value, random.Random):
            python = value.getstate()
            self.undo.append(lambda: value.setstate(python))
            self.plain.append((value.getstate, python))
        elif isinstance(value, (np.random.Generator, np.random.RandomState)):
            bits = value.bit_generator if isinstance(value, np.random.Generator) else value._bit_generator  # type: ignore[attr-defined]
            numpy = bits.state
            self.plain.append((lambda: repr(bits.state), repr(numpy)))
            self.undo.append(lambda: setattr(bits, "state", numpy))
        else:
            return False
        return True


def _tensors_of(module: nn.Module) -> list[tuple[str, int]]:
    """Which tensors a module's own parameters and buffers are, by id."""
    return [(name, id(one)) for name, one in (*module._parameters.items(), *module._buffers.items())]


def _plain(value: Any) -> list[Any]:
    """The numbers, texts and the like in a container, as they stand."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [(key, one) for key, one in items if one is None or isinstance(one, (bool, int, float, str))]
