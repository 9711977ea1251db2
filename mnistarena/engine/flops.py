"""Floating-point operations of an image, and which costly operations the count leaves out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

COSTLY = re.compile(
    r"_?(fft|cdist|pdist|euclidean_dist|linalg_(?!check)|cholesky|lu_|svd|qr$|geqrf|ormqr|orgqr|householder|lobpcg)"
    r"|_?(triangular_solve|inverse$|matrix_exp|mv$|dot$|vdot$|inner$|addmv$|addr$|ger$|outer$|logdet|slogdet|kron$)"
    r"|.*(grid_sampler|trilinear|bilinear$|mm$|rnn|lstm|gru|attention|transformer_encoder_layer|conv)"
)
"""Operations of torch that are many multiplications. Those in the counter's registry are counted, the others not."""

LAYERS = ("mkldnn_rnn_layer", "cudnn_rnn", "miopen_rnn")
"""Whole layers in one operation, of which nothing is counted; other kernels compute the same in matrix products."""

ELEMENTWISE = "elementwise"
"""Stands for additions, activations and the like where they are more than all that was counted."""

ATTENTION = ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_fused_attention_overrideable")
"""Attention that is computed like the kinds that torch's counter knows."""


@torch.inference_mode()
def flops(model: nn.Module, image: torch.Tensor) -> tuple[int, list[str]]:
    """Floating-point operations for one image `(1, C, H, W)`, and the costly operations that are not among them.

    As torch's FlopCounterMode counts: matrix products, convolutions and attention, a multiply-add as two. Recurrent
    layers are counted by their matrix products. With names in the second, the first is a lower bound.
    """
    model.eval()
    total, names = _count(model, image)
    if not set(LAYERS).isdisjoint(names):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings for other devices, which are left as they are
            with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
                total, names = _count(model, image)
    return total, names


def _count(model: nn.Module, image: torch.Tensor) -> tuple[int, list[str]]:
    others, counter = _Others(), FlopCounterMode(display=False, custom_mapping=_attention())
    with _eager(), counter, others:
        model(image)
    total, names = int(counter.get_total_flops()), sorted(others.names)
    return total, [*names, ELEMENTWISE] if others.elements > total else names


class _Others(TorchDispatchMode):
    """Notes the costly operations that are not counted, and how many elements simple ones compute."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        counted = packet in flop_registry or packet.__name__ in ATTENTION
        if not counted and func is not torch.ops.prim.device.default:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if func.namespace not in ("aten", "prim", "prims", "profiler", "debugprims"):
            self.names.add(f"{func.namespace}::{packet.__name__}")
        elif not counted and COSTLY.match(packet.__name__):
            self.names.add(packet.__name__.lstrip("_"))
        elif torch.Tag.pointwise in func.tags and isinstance(out, torch.Tensor) and out.is_floating_point():
            self.elements += out.numel()
        return out


@contextmanager
def _eager() -> Iterator[None]:
    """Keep torch from fusing operations: a transformer's layer in evaluation, a model compiled by its author."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # Only torch 2.6 and later can be told to leave compiled models aside.
        with torch.compiler.set_stance("force_eager") if hasattr(torch.compiler, "set_stance") else nullcontext():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _attention() -> dict[Any, Any]:
    def count(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    return {getattr(torch.ops.aten, name): count for name in ATTENTION if hasattr(torch.ops.aten, name)}
