"""A torch module as an ONNX graph, by torch's exporter."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

import torch
from torch import nn

from mnistarena.engine.chain import Chain
from mnistarena.errors import TrialError, first_line


class Preprocessing(nn.Module):
    """Float images `(N, C, H, W)` in [0, 1] through those transforms of a chain that are not random."""

    def __init__(self, chain: Chain, device: torch.device) -> None:
        super().__init__()
        self.steps = [apply for apply, is_random in chain.steps if not is_random]
        self.generator = torch.Generator(device)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The images that the model is asked about, float32."""
        for apply in self.steps:
            images = apply(images, self.generator)
        return images


def exported(module: nn.Module, example: torch.Tensor, *, takes: str, gives: str) -> Any:
    """A module as an onnx.ModelProto with any number of rows; `takes` and `gives` name its input and its output.

    Raises `TrialError` where the exporter does not support the module.
    """
    try:
        with silenced():
            traced = _traced(module.eval(), example)
            program = torch.onnx.export(
                traced, (example,), dynamo=True, input_names=[takes], output_names=[gives], verbose=False
            )
    except Exception as problem:
        raise TrialError(f"torch's exporter says: {cause(problem)}") from problem
    assert program is not None
    return program.model_proto


def _traced(module: nn.Module, example: torch.Tensor) -> torch.export.ExportedProgram:
    """The module as a graph that takes any number of rows; raises what the exporter says first."""
    shapes = ({0: torch.export.Dim("n")},)
    try:
        return torch.export.export(module, (example,), dynamic_shapes=shapes, strict=False)
    except Exception as first:
        # Only the strict way, through bytecode, leaves the result of len(images) open.
        with suppress(Exception):
            return torch.export.export(module, (example,), dynamic_shapes=shapes, strict=True)
        raise first


@contextmanager
def silenced() -> Iterator[None]:
    """An exporter's own messages are suppressed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def cause(problem: BaseException) -> str:
    """The first line of what is behind an error, without the exporter's own preamble."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return first_line(problem)
