"""Arrays of pixels as images of a dataset, uint8 `(n, C, H, W)`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.large import empty_images, parts

Layout = Literal["NHWC", "NCHW", "HWCN"]
"""The order of an array's axes: N images, H rows, W columns, C channels; without C where images are `(H, W)`."""

_AXES: dict[str, tuple[int, ...]] = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 3, 1, 2), "HWCN": (3, 2, 0, 1)}
USUAL = (1, 3)
"""Numbers of channels that are told from an array's shape."""


def as_images(
    array: NDArray[Any], name: str, wrong: list[str], *, layout: Layout | None = None, count: int | None = None
) -> NDArray[np.uint8]:
    """The array as `(n, C, H, W)`; what is wrong with it joins the others.

    Without `layout`, images are along the first axis, and the axis of the channels is the second or the last, whichever
    alone is 1 or 3. With `count`, the number of labels, images may be along the last axis, as MATLAB's are.
    """
    if array.dtype != np.uint8:
        wrong.append(f"{name} must be uint8, not {array.dtype}{conversion(array, name)}")
    elif not array.size:
        wrong.append(f"{name} is empty: {array.shape}")
    elif array.ndim not in (3, 4):
        wrong.append(f"{name} is {array.shape}, not (n, height, width), or that with channels before or after these")
    elif order := layout or _told(array, name, wrong, count):
        if array.ndim == 3:
            return (np.moveaxis(array, -1, 0) if order == "HWCN" else array)[:, None]
        return array if order == "NCHW" else _copy(array.transpose(_AXES[order]))
    return array


def _told(array: NDArray[Any], name: str, wrong: list[str], count: int | None) -> Layout | None:
    """The order of the axes as far as the shape tells it."""
    if count is not None and (array.shape[0] == count) != (array.shape[-1] == count):
        if array.shape[-1] == count:
            return "HWCN"
    elif count is not None:
        which = "both" if array.shape[0] == count else "neither"
        wrong.append(
            f"{name} is {array.shape}, for {count} labels: {which} of its first and last axes may be images;" + _ask
        )
        return None
    if array.ndim == 3:
        return "NHWC"
    first, last = array.shape[1] in USUAL, array.shape[3] in USUAL
    if first != last:
        return "NCHW" if first else "NHWC"
    which = "both" if first else "neither"
    wrong.append(f"{name} is {array.shape}: {which} of its second and last axes can be 1 or 3 channels;" + _ask)
    return None


_ask = ' say which axis is which: layout = "NHWC", "NCHW" or "HWCN"'


def _copy(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The images with their values in the order of their axes."""
    found = empty_images(images.shape)
    at = 0
    for part in parts(images):
        found[at : at + len(part)] = part
        at += len(part)
    return found


def conversion(array: NDArray[Any], name: str) -> str:
    """What an array holds, and how to make uint8 of it."""
    if array.dtype.kind not in "biuf" or not array.size:
        return ""
    least, most = float(array.min()), float(array.max())
    if 0 <= least <= most <= 1:
        how = f"(255 * {name}).round().astype(numpy.uint8)"
    elif 0 <= least <= most <= 255:
        how = f"{name}.round().astype(numpy.uint8)"
    else:
        how = "its values brought to 0 … 255, as numpy.uint8"
    return f" from {least:g} to {most:g}: save {how}"
