"""Functions of other libraries as transforms and augmentations: what they draw comes from the generator.

They draw from torch's, NumPy's and Python's global streams, and often once for a whole batch. Torch is imported inside
the functions: plugins import these names at the top of their modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistarena.errors import TrialError

if TYPE_CHECKING:
    import torch

    Apply = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

ROUNDING = 1e-3
"""How far outside [0, 1] a value may lie that becomes uint8."""


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Within `with`, the global random streams are seeded with a number drawn from `generator`.

    These are torch's (of the processor and of the generator's device), NumPy's and Python's. Afterwards they stand
    where they stood. For a function of a whole batch that draws for each image itself, or for the batch as it should,
    such as `torchvision.transforms.v2.MixUp` in an augmentation.
    """
    from mnistarena.engine.random_state import kept_streams, seed_streams

    (number,) = _numbers(generator, 1)
    with kept_streams(generator.device):
        seed_streams(number, generator.device)
        yield


def per_image(function: Callable[[Any], Any], *, numpy: bool = False, uint8: bool = False) -> Apply:
    """A function of one image as what `TransformDef.build` returns: `(images, generator) -> images`.

    `function` is called for each image of a batch, on the processor, and is given a float32 tensor `(C, H, W)`; with
    `numpy` an array `(H, W, C)`; with `uint8` values of 0 … 255 in place of [0, 1]. It returns the like, float or
    uint8, of one shape for all images; an array `(H, W)` has one channel. Before each call, torch's, NumPy's and
    Python's global random streams are seeded with a number drawn from the generator; afterwards they stand where they
    stood. The result is float32 `(N, C, H, W)` on the device of the images.

    Raises `TrialError` where it returns something else, and with `uint8` where values lie outside [0, 1].
    """

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        import torch

        from mnistarena.engine.random_state import kept_streams, seed_streams

        processor = torch.device("cpu")
        # A copy: a function may change the image that it is given.
        given = images.to(processor, copy=True, memory_format=torch.contiguous_format)
        if uint8:
            given = _as_uint8(given, _name(function))
        if numpy:
            given = given.permute(0, 2, 3, 1).contiguous()
        made: list[torch.Tensor] = []
        with kept_streams(processor):
            for image, number in zip(given, _numbers(generator, len(given)), strict=True):
                seed_streams(number, processor)
                made.append(_image(function(image.numpy() if numpy else image), _name(function)))
                if made[-1].shape != made[0].shape:
                    raise TrialError(
                        f"{_name(function)} made images {tuple(made[0].shape)} and {tuple(made[-1].shape)} (C, H, W) "
                        "in one batch; end with a resize or a crop to one size"
                    )
        return torch.stack(made).to(images.device)

    return apply


def _numbers(generator: torch.Generator, n: int) -> list[int]:
    """Seeds that NumPy takes, too."""
    import torch

    return torch.randint(2**31, (n,), generator=generator, device=generator.device).tolist()


def _as_uint8(images: torch.Tensor, name: str) -> torch.Tensor:
    import torch

    low, high = (float(one) for one in images.aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise TrialError(
            f"{name} takes values in [0, 1], and these lie between {low:.3g} and {high:.3g}; put its transform before "
            '"normalize"'
        )
    return images.mul(255).round().clamp(0, 255).to(torch.uint8)


def _image(result: object, name: str) -> torch.Tensor:
    """What a function returned as float32 `(C, H, W)`."""
    import torch

    found = result
    if isinstance(found, np.ndarray) and found.ndim in (2, 3):
        channels_last = found[:, :, None] if found.ndim == 2 else found
        found = torch.from_numpy(np.ascontiguousarray(channels_last.transpose(2, 0, 1)))
    if not isinstance(found, torch.Tensor) or found.dim() != 3:
        shape = getattr(result, "shape", None)
        what = type(result).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")
        raise TrialError(f"{name} returned {what}; return a tensor (C, H, W) or an array (H, W, C)")
    if found.dtype == torch.uint8:
        return found.to(torch.float32).div_(255)
    if not found.is_floating_point():
        raise TrialError(f"{name} returned values of {found.dtype}; return float32 or uint8")
    return found.to(torch.float32)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
