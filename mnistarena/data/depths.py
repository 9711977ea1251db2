"""Image files of more than 8 bits a channel: what a file holds, and how its values become 0 … 255."""

from __future__ import annotations

import sys
from dataclasses import KW_ONLY, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MOST_16 = 65_535
ALPHA = {"RGBA;16B", "RGBA;16L", "RGBA;16N", "LA;16B"}
"""Raw modes of 16 bits a channel whose last channel is opacity."""
PAIRS = ("RGB;16", "RGBX;16", "RGBA;16")
"""Raw modes of which Pillow takes the high byte; read again in the other order of bytes they give the low one."""


@dataclass(frozen=True)
class Depth:
    """How a file keeps its pixels: bits a channel, and the value that is white; None where the format does not say.

    `read` says what of a value Pillow gives: all of it ("whole"), its 8 highest bits ("high"), or nothing that could
    be relied on ("not"). `raw` is the raw mode of its first tile.
    """

    bits: int = 8
    white: int | None = 255
    _: KW_ONLY
    read: Literal["whole", "high", "not"] = "whole"
    raw: str = ""

    def refusal(self, wanted: float | Literal["scale"] | None) -> tuple[str, str] | None:
        """Why images of this depth cannot be read as `wanted`, and what to write; None where they can."""
        what, number = f"have {self.bits} bits a channel", "write depth = the number that is white"
        scale = f'write depth = "scale" (then {self.white:,} is white)' if self.white is not None else ""
        if self.bits <= 8:
            return None
        if self.read == "not":
            return f"{what}, in a layout that Pillow does not read rightly", "convert them to 8 bits"
        if wanted is None:
            both = self.white is not None and self.read == "whole"
            return what, f"{scale} or depth = the number that is white" if both else scale or number
        if wanted == "scale" and self.white is None:
            return f"{what}, and their format does not say which number is white", number
        if wanted != "scale" and self.read == "high" and wanted != self.white:
            return f"{what}, of which Pillow reads the 8 highest bits only", f"{scale} or convert them to 8 bits"
        return None


def depth_of(opened: Image.Image, source: Path | bytes) -> Depth:
    """The depth of an opened file whose pixels were not read yet."""
    form, mode = opened.format, opened.mode
    if form == "ICO":
        opened = opened.ico.getimage(opened.size)  # type: ignore[attr-defined]  # its frame, a PNG or a bitmap
    names = [name for _, name in _arguments(opened)]
    raw = next((str(name) for name in names if isinstance(name, str)), "")
    if form in ("JPEG2000", "AVIF"):
        bits = _bits_of_jpeg2000(source) if form == "JPEG2000" else _bits_of_avif(source)
        return Depth(bits, 2**bits - 1, read="whole" if mode == "I;16" else "high", raw=raw) if bits > 8 else Depth()
    if form == "PPM" and isinstance(names[-1], int) and names[-1] > 255:
        return Depth(names[-1].bit_length(), names[-1], read="whole" if mode == "I" else "high", raw=raw)
    sixteen = ";16" in raw or ("SGI16", mode) in _arguments(opened)
    if not sixteen and mode[0] not in "IF":
        return Depth(16, None, read="not") if form == "DDS" and 6 in names else Depth()
    if form == "FITS" or (form == "TIFF" and _odd_tiff(opened)):
        return Depth(16, None, read="not")
    if raw == "I;12":
        return Depth(12, 4095, raw=raw)
    if mode == "F" or raw.endswith("S") or not (sixteen or mode.startswith("I;16")):
        return Depth(16 if "16" in raw else 32, None, raw=raw)
    both = form not in ("ICO", "SGI") and (raw == "LA;16B" or raw.startswith(PAIRS))
    return Depth(16, MOST_16, read="whole" if both or mode.startswith("I") else "high", raw=raw)


def _arguments(opened: Image.Image) -> list[tuple[str, Any]]:
    """The decoder of each tile with each of its arguments."""
    tiles = getattr(opened, "tile", ())
    return [(one[0], each) for one in tiles for each in (one[3] if isinstance(one[3], tuple) else (one[3],))]


def _odd_tiff(opened: Image.Image) -> bool:
    """Whether Pillow reads a TIFF file of more than 8 bits wrongly: colours apart, or 0 that is white."""
    tags = opened.tag_v2  # type: ignore[attr-defined]
    apart, photometric = tags.get(284, 1) == 2, tags.get(262, 1)
    return (apart and opened.mode[0] not in "IF") or photometric == 0


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[: 1 << 20]
    with source.open("rb") as stream:
        return stream.read(1 << 20)


def _bits_of_jpeg2000(source: Path | bytes) -> int:
    """The most bits of a component: `Ssiz` of the marker SIZ (ISO 15444-1, A.5.1)."""
    _, _, siz = _start(source).partition(b"\xff\x4f\xff\x51")
    components = siz[38 : 38 + 3 * int.from_bytes(siz[36:38], "big") : 3]
    return max(((one & 0x7F) + 1 for one in components), default=8)


def _bits_of_avif(source: Path | bytes) -> int:
    """8, 10 or 12: two flags in the third byte of the box av1C (AV1 in ISOBMFF, 2.3.3)."""
    flags = _start(source).partition(b"av1C")[2][2:3]
    return 8 if not flags or not flags[0] & 0x40 else 12 if flags[0] & 0x20 else 10


def eight_bits(
    opened: Image.Image, source: Path | bytes, depth: Depth, wanted: float | Literal["scale"]
) -> tuple[Image.Image, float]:
    """A file of more than 8 bits as a picture of 8, and its highest value as a share of the format's white.

    Whole numbers v become v × 255 // white, other numbers the nearest to that; what is beyond white is white.
    """
    from PIL import Image

    opened.load()
    if depth.read == "high":
        return opened, float(np.asarray(opened)[..., : 3 if opened.mode[0] == "R" else None].max() / 255)
    white = depth.white if wanted == "scale" else wanted
    assert white is not None  # Depth.refusal has said so
    values, alpha = _values(opened, source, depth)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError("it holds values that are not numbers")
    picture = Image.fromarray(_scaled(values, white))
    if alpha is not None:
        picture.putalpha(Image.fromarray(alpha))
    return picture, float(values.max()) / (depth.white or white)


def _scaled(values: NDArray[Any], white: float) -> NDArray[np.uint8]:
    if values.dtype.kind == "f" or white != int(white):
        return np.rint(values.astype(np.float64).clip(0, white) * (255 / white)).astype(np.uint8)
    return (values.astype(np.int64).clip(0, int(white)) * 255 // int(white)).astype(np.uint8)


def _values(opened: Image.Image, source: Path | bytes, depth: Depth) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """A file's own values, `(H, W)` or `(H, W, 3)`, and its opacity `(H, W)`, None where all is opaque."""
    if depth.raw == "LA;16B":
        four = _again(source, "RGBA").astype(np.int64)
        return 256 * four[..., 0] + four[..., 1], four[..., 2].astype(np.uint8)
    values: NDArray[Any] = np.asarray(opened)
    if values.ndim == 3:
        last = depth.raw[-1]
        other = {"B": "L", "L": "B"}.get(last, "B" if sys.byteorder == "little" else "L")
        low = _again(source, depth.raw[:-1] + other)
        alpha = np.ascontiguousarray(values[..., 3]) if depth.raw in ALPHA else None
        values = (256 * values.astype(np.int64) + low)[..., :3]
    else:
        alpha = None
        if opened.format == "JPEG2000":
            values = values >> (16 - depth.bits)
        elif opened.format == "PPM" and opened.mode == "I" and depth.white is not None:
            values = np.rint(values * (depth.white / MOST_16)).astype(np.int64)
    clear = opened.info.get("transparency")
    if alpha is None and clear is not None:
        seen = values != np.array(clear)
        alpha = (255 * (seen.any(-1) if values.ndim == 3 else seen)).astype(np.uint8)
    return values, alpha


def _again(source: Path | bytes, raw: str) -> NDArray[np.uint8]:
    """The pixels of a file whose bytes are taken to be of another raw mode."""
    from PIL import Image

    with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as opened:
        for at, tile in enumerate(opened.tile):
            given = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
            changed = (*tile[:3], given)
            opened.tile[at] = type(tile)(*changed) if hasattr(tile, "_fields") else changed  # a tuple before Pillow 11
        opened.load()  # numpy would hide what it raises
        return np.asarray(opened)
