"""Equal images, and nearly equal ones, among many: with numpy alone, in time that grows as their number.

The perceptual hash is that of pHash (Zauner 2010): an image's lowest cosine coefficients, 8 × 8 without the constant
one. Signs of them, along their principal axes, find candidates. A pair is near where its coefficients correlate by
`COEFFICIENTS` and its pixels by `PIXELS`: on images as small as MNIST's, signs alone call too many pairs near.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

SIDE = 8
"""So many frequencies each way; images with a shorter side say too little of what is near by chance."""
COEFFICIENTS = 0.9985
"""The least correlation of the cosine coefficients of a pair: `python -m benchmarks near_duplicates` says why."""
PIXELS = 0.95
"""The least correlation of its pixels."""
PARTNERS = 3
"""Where both images of a pair have so many partners, within a split or across, a band looks for no more of them."""

_QUANTILES, _BITS = (0.3, 0.4, 0.5, 0.6, 0.7), 16
_RADIUS = np.float32(np.sqrt(2 * (1 - COEFFICIENTS)))
"""The distance of two vectors of length 1 whose product is `COEFFICIENTS`."""
_AHEAD, _PAIRS = 64, 1 << 22
"""How far apart two images of one code may stand in the order along an axis, and for few images how many are compared
in all: bounds of the time where many are alike."""
_CHUNK, _AT_ONCE = 1 << 20, 1 << 12


@dataclass(frozen=True)
class Near:
    """Pairs of rows `(m, 2)`, the lower one first, and the correlation of their pixels `(m,)`."""

    pairs: Rows
    correlations: Floats


def equal_images(parts: Sequence[Images]) -> Rows:
    """For each image of all parts, `(n,)`, the first row that has the same pixels: its own where it is the first."""
    keys = [hashlib.blake2b(image.data, digest_size=8).digest() for images in parts for image in _rows(images)]
    _, first, which = np.unique(np.frombuffer(b"".join(keys), np.uint64), return_index=True, return_inverse=True)
    return first[which].astype(np.int64)


def near_images(parts: Sequence[Images], firsts: Rows, usable: NDArray[np.bool_]) -> Near | None:
    """Pairs of nearly equal images among all parts; None where the images are too small to say.

    Of equal images only the first takes part (`firsts`, as `equal_images` returns it), and only rows that are `usable`.
    Where an image has many such partners, some of each split are found.
    """
    if min(parts[0].shape[2:]) < SIDE:
        return None
    rows = np.flatnonzero((firsts == np.arange(len(firsts))) & usable)
    units = np.concatenate([coefficients(images) for images in parts])[rows]
    lengths = np.linalg.norm(units, axis=1)
    rows, units = rows[lengths > 0], units[lengths > 0] / lengths[lengths > 0, None]
    pairs, correlations = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    for found, values in _close(parts, rows, units) if len(rows) > 1 else ():
        pairs.append(found)
        correlations.append(values)
    unique, first = np.unique(np.concatenate(pairs), axis=0, return_index=True)
    return Near(unique, np.concatenate(correlations)[first])


def _rows(images: Images) -> Iterator[Images]:
    """Each image, contiguous."""
    for start in range(0, len(images), 1024):
        yield from np.ascontiguousarray(images[start : start + 1024]).reshape(-1, images[0].size)


def _cosines(length: int) -> Floats:
    """The first `SIDE` rows of the orthonormal cosine transform (DCT-II), `(SIDE, length)`."""
    waves = np.cos(np.pi * np.arange(SIDE)[:, None] * (2 * np.arange(length) + 1) / (2 * length))
    return (waves / np.linalg.norm(waves, axis=1, keepdims=True)).astype(np.float32)


def coefficients(images: Images) -> Floats:
    """The lowest cosine coefficients, without the constant one, of the sum of each image's channels: `(n, 63)`."""
    count, channels, height, width = images.shape
    down, across = _cosines(height), _cosines(width)
    # One product for all is faster for small images, though it is more to multiply.
    at_once = np.tile(np.kron(down, across)[1:], channels).T.copy() if images[:1].size <= _AT_ONCE else None
    found = np.empty((count, SIDE * SIDE - 1), np.float32)
    step = max(1, _CHUNK // max(1, channels * height * width))
    for start in range(0, count, step):
        part = images[start : start + step].astype(np.float32)
        if at_once is not None:
            found[start : start + step] = part.reshape(len(part), -1) @ at_once
        else:
            part = (part.reshape(-1, width) @ across.T).reshape(-1, channels, height, SIDE).sum(axis=1)
            found[start : start + step] = np.matmul(down, part).reshape(len(part), -1)[:, 1:]
    return found


def _close(parts: Sequence[Images], rows: Rows, units: Floats) -> Iterator[tuple[Rows, Floats]]:
    """Pairs of nearly equal images, with the correlation of their pixels; `units` are those of `rows`, of length 1."""
    for along, band in _bands(units):
        partners = np.zeros((2, len(rows)), np.int64)  # within a split, and across
        for one, other in band:
            across = ((rows[one] < len(parts[0])) != (rows[other] < len(parts[0]))).astype(int)
            wanted = np.minimum(partners[across, one], partners[across, other]) < PARTNERS
            one, other, across = one[wanted], other[wanted], across[wanted]
            for points in (along, units):
                apart = points[one] - points[other]
                near = np.einsum("ij,ij->i", apart, apart) <= _RADIUS**2
                one, other, across = one[near], other[near], across[near]
            pairs = np.sort(rows[np.stack([one, other], axis=1)], axis=1)
            values = _correlations(parts, pairs)
            near = values >= PIXELS
            for column in (one, other):
                np.add.at(partners, (across[near], column[near]), 1)
            yield pairs[near], values[near]


def _bands(units: Floats) -> Iterator[tuple[Floats, Iterator[tuple[Rows, Rows]]]]:
    """Coordinates along the longest principal axes, and for each of five bands the pairs that it brings together.

    A band compares vectors that are on the same side of a quantile along each of up to 16 axes: few that are far from
    each other are, and two that are near are seldom on both sides of one in all five bands. An axis along
    which most are near tells nothing.
    """
    centred = units - units.mean(axis=0)
    lengths, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(units))
    along = (centred @ axes[:, ::-1].astype(np.float32))[:, :_BITS]
    bits = min(int((lengths[::-1][:_BITS] > _RADIUS**2).sum()), len(units).bit_length() - 1)
    for band, share in enumerate(_QUANTILES):
        sides = along[:, :bits] > np.quantile(along[:, :bits], share, axis=0)
        yield along, _neighbours(sides @ (1 << np.arange(bits)), along[:, band], along[:, band - 1])


def _neighbours(codes: Rows, along: Floats, beside: Floats) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of one code that are near along two axes, neighbours in the first one first."""
    order = np.lexsort((along, codes))
    codes, along, beside, at = codes[order], along[order], beside[order], np.arange(len(order))
    for ahead in range(1, max(_AHEAD, _PAIRS // len(order)) + 1):
        at = at[at + ahead < len(order)]
        at = at[codes[at] == codes[at + ahead]]
        at = at[along[at + ahead] - along[at] <= _RADIUS]
        if not len(at):
            return
        near = at[np.abs(beside[at + ahead] - beside[at]) <= _RADIUS]
        yield order[near], order[near + ahead]


def _correlations(parts: Sequence[Images], pairs: Rows) -> Floats:
    """The correlation of the pixels of each pair, over all channels."""
    found = np.empty(len(pairs), np.float32)
    step = max(1, _CHUNK // max(1, parts[0][:1].size))
    for start in range(0, len(pairs), step):
        one, other = (_standardized(parts, column) for column in pairs[start : start + step].T)
        found[start : start + step] = np.einsum("ij,ij->i", one, other)
    return found


def _standardized(parts: Sequence[Images], rows: Rows) -> Floats:
    """Images as vectors of mean 0 and length 1, `(m, C · H · W)`."""
    ends = np.cumsum([len(images) for images in parts])
    part = np.searchsorted(ends, rows, side="right")
    found = np.empty((len(rows), *parts[0].shape[1:]), np.float32)
    for number, images in enumerate(parts):
        here = part == number
        found[here] = images[rows[here] - (ends[number] - len(images))]
    found = found.reshape(len(rows), parts[0][:1].size)
    found -= found.mean(axis=1, keepdims=True)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
