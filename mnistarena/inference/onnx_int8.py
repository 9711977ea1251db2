"""An ONNX file of a torch module with weights and activations of 8 bits: static quantisation by onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import TrialError
from mnistarena.inference.onnx_graph import cause, silenced

CALIBRATED = 512
"""Training images that the ranges of activations are taken from, at most."""

BATCH = 64

QUANTISED = ("Conv", "Gemm", "MatMul")
"""The operations that compute in int8; transforms before the model and softmax after it stay in float32."""


def calibration(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of training images to calibrate on, drawn from these; the same each time."""
    drawn = np.random.default_rng(0).permutation(len(rows))[:CALIBRATED]
    return np.sort(rows[drawn])


def quantised(data: bytes, images: NDArray[np.float32], *, takes: str) -> bytes:
    """The file's content in int8, its activations calibrated on images `(n, C, H, W)` in [0, 1] for its input `takes`.

    Weights are symmetric, one scale a channel; activations are unsigned, from the least to the most that these images
    give. Raises `TrialError` where onnxruntime cannot, or nothing in the file can be quantised.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[Any] = (images[at : at + BATCH] for at in range(0, len(images), BATCH))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {takes: batch}

    model = onnx.load_model_from_string(data)
    if not any(node.op_type in QUANTISED for node in model.graph.node):
        raise TrialError(f"it has none of the operations that can be: {', '.join(QUANTISED)}")
    with tempfile.TemporaryDirectory(prefix="arena-int8-") as name:
        given, ready, found = (Path(name) / f"{one}.onnx" for one in ("given", "ready", "int8"))
        given.write_bytes(data)
        try:
            with silenced():
                quant_pre_process(given, ready, skip_symbolic_shape=True)
                quantize_static(
                    ready,
                    found,
                    Reader(),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=list(QUANTISED),
                    per_channel=True,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                )
        except Exception as problem:
            raise TrialError(f"onnxruntime says: {cause(problem)}") from problem
        small = onnx.load(str(found))
    onnx.helper.set_model_props(small, {one.key: one.value for one in model.metadata_props} | {"quantised": "int8"})
    return bytes(small.SerializeToString())
