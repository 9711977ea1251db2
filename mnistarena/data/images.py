"""One reader of image files, for training and for `predict`: upright, its channels, its size, uint8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.depths import Depth, depth_of, eight_bits
from mnistarena.data.file_kind import HEAD, NOT_DATA, kind_of
from mnistarena.errors import DataError, first_line

if TYPE_CHECKING:
    from PIL import Image

Fit = Literal["stretch", "pad", "crop"]
Source = Path | bytes
"""An image file, or what one holds."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's modes by number of channels."""
GREY = ("1", "L", "LA", "La", "I", "F")
DARK = 0.5
"""Files whose highest value stays below this share of white hold fewer bits than their format."""
NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats of which Pillow reads a header only, or for which it starts another program."""
FRAMES = {"AVIF", "DCX", "FLI", "GIF", "PNG", "TIFF", "WEBP"}
"""Formats whose files may hold several images of the same kind."""
_UNHEARD = logging.NullHandler()
ORIENTATION = 0x0112
"""EXIF's tag of how a camera was held."""
ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageRules:
    """How image files become arrays: channels (1 or 3), (height, width), and what is done to what is otherwise.

    `fit`: "stretch"; "pad", which keeps the proportions and fills up with the median colour of the outermost pixels;
    "crop", which keeps them and cuts off.
    `depth`: files of more than 8 bits a channel are refused (None), scaled by the white of their format ("scale"), or
    so that this number is white. `invert` swaps light and dark.
    """

    channels: int
    size: tuple[int, int]
    _: KW_ONLY
    fit: Fit = "stretch"
    depth: float | Literal["scale"] | None = None
    invert: bool = False


@dataclass(frozen=True)
class Header:
    """What a file says of its image: whether it is grey, (height, width) when upright, bits a channel."""

    grey: bool
    size: tuple[int, int]
    _: KW_ONLY
    depth: Depth


@dataclass(frozen=True)
class Picture:
    """A file as an image uint8 `(C, H, W)`; `notes` say what was done to it.

    `peak` is the highest value of a file of more than 8 bits, as a share of its format's white; None for others.
    `frames` is how many images the file holds; the first was read.
    """

    image: NDArray[np.uint8]
    notes: tuple[str, ...]
    _: KW_ONLY
    peak: float | None = None
    frames: int = 1


@cache
def readable() -> tuple[frozenset[str], tuple[str, ...], dict[str, str]]:
    """The suffixes that the installed Pillow reads, its formats known by their content, and each suffix's format."""
    from PIL import Image

    Image.init()
    formats = {name: accept for name, (_, accept) in Image.OPEN.items() if name not in NO_PIXELS}
    suffixes = {suffix: "JPEG" if name == "MPO" else name for suffix, name in Image.registered_extensions().items()}
    by_suffix = {suffix: name for suffix, name in suffixes.items() if name in formats}
    first = ("PNG", "JPEG", "WEBP", "TIFF")
    known = sorted((name for name, accept in formats.items() if accept), key=lambda name: (name not in first, name))
    return frozenset(by_suffix), tuple(known), by_suffix


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings are not shown; one of an image that is too large becomes an error."""
    from PIL import Image

    _quiet_libtiff()
    logging.getLogger("PIL").addHandler(_UNHEARD)  # without a handler, Python prints them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@cache
def _quiet_libtiff() -> None:
    """Have libtiff not write to the standard error; what it cannot read is an exception of Pillow's all the same."""
    import ctypes

    from PIL import _imaging

    try:
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
    except (AttributeError, OSError):  # built without libtiff, or with it inside
        return


def open_image(source: Source) -> Image.Image:
    """The file, opened by its content; a format without a mark of its own needs its suffix. The caller closes it."""
    from PIL import Image

    _, known, by_suffix = readable()
    if isinstance(source, bytes):
        return Image.open(BytesIO(source), formats=known)
    own = by_suffix.get(source.suffix.lower())
    return Image.open(source, formats=known if own is None or own in known else (*known, own))


def inspect(opened: Image.Image, source: Source, *, load: bool = False) -> Header:
    """What an opened file says of its image. Pixels are decoded with `load` only, where EXIF may come after them."""
    depth = depth_of(opened, source)
    if load and opened.format == "PNG":
        opened.load()
    return Header(_is_grey(opened, depth), _upright_size(opened), depth=depth)


def _is_grey(opened: Image.Image, depth: Depth) -> bool:
    if opened.mode not in ("P", "PA"):
        return opened.mode in GREY or opened.mode.startswith("I;") or depth.raw == "LA;16B"
    palette = opened.getpalette() or []
    return palette[0::3] == palette[1::3] == palette[2::3]


def _upright_size(opened: Image.Image) -> tuple[int, int]:
    """(height, width) when upright."""
    width, height = opened.size
    if opened.format == "TIFF":  # Pillow turns these itself, some versions in the header already
        tags = opened.tag_v2  # type: ignore[attr-defined]
        width, height = tags.get(256, width), tags.get(257, height)
        turned = tags.get(ORIENTATION) in ON_ITS_SIDE
    else:
        turned = _orientation(opened) in ON_ITS_SIDE
    return (width, height) if turned else (height, width)


def _orientation(opened: Image.Image) -> object:
    """EXIF's orientation, from 1 to 8; 1 where there is none or it cannot be read."""
    from PIL import Image

    try:  # the method of PNG decodes the pixels first
        return Image.Image.getexif(opened).get(ORIENTATION, 1)
    except Exception:  # corrupt EXIF: the pixels may be good all the same
        return 1


def decode(opened: Image.Image, source: Source, header: Header, rules: ImageRules) -> Picture:
    """The first image of an opened file by the rules.

    Turned upright where EXIF says so, laid over white where transparent, resized (bilinear, antialiased). Its depth
    must be one that is not refused. Raises what Pillow raises where it is damaged.
    """
    from PIL import Image, ImageOps

    notes: list[str] = []
    picture, peak = opened, None
    if header.depth.bits > 8:
        picture, peak = eight_bits(opened, source, header.depth, rules.depth or "scale")
        dark = f", its highest value is {peak:.0%} of white" if rules.depth == "scale" and peak < DARK else ""
        notes.append(f"{header.depth.bits} bits scaled to 8{dark}")
    opened.load()
    turn = _turns().get(_orientation(opened)) if opened.format != "TIFF" else None
    picture = picture if turn is None else picture.transpose(turn)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        notes.append("put on white where transparent")
    if rules.channels == 1 and not header.grey:
        notes.append("made grey")
    picture = picture.convert(MODES[rules.channels])
    picture = ImageOps.invert(picture) if rules.invert else picture
    height, width = rules.size
    if picture.size != (width, height):
        how = {"stretch": "", "pad": ", padded", "crop": ", cut off"}[rules.fit]
        notes.append(f"resized from {picture.height} × {picture.width} to {height} × {width}{how}")
        picture = _fitted(picture, width, height, rules.fit)
    notes += ["inverted"] if rules.invert else []
    pixels = np.asarray(picture, np.uint8).reshape(height, width, rules.channels)
    frames = getattr(opened, "n_frames", 1) if opened.format in FRAMES else 1
    return Picture(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)), tuple(notes), peak=peak, frames=frames)


@cache
def _turns() -> dict[object, Image.Transpose]:
    """What makes an image upright, by EXIF's orientation."""
    from PIL.Image import Transpose as T

    how = (T.FLIP_LEFT_RIGHT, T.ROTATE_180, T.FLIP_TOP_BOTTOM, T.TRANSPOSE, T.ROTATE_270, T.TRANSVERSE, T.ROTATE_90)
    return dict(enumerate(how, 2))


def _fitted(picture: Image.Image, width: int, height: int, fit: Fit) -> Image.Image:
    from PIL import Image, ImageOps

    bilinear = Image.Resampling.BILINEAR  # Pillow's is antialiased
    if fit == "crop":
        return ImageOps.fit(picture, (width, height), bilinear)
    if fit == "stretch":
        return picture.resize((width, height), bilinear)
    scale = min(width / picture.width, height / picture.height)
    inner = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), bilinear)
    pixels = np.asarray(inner)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = tuple(np.atleast_1d(np.median(edge, axis=0)).astype(int).tolist())
    padded = Image.new(picture.mode, (width, height), colour[0] if len(colour) == 1 else colour)
    padded.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return padded


def why(problem: Exception, source: Source) -> str:
    """Why an image cannot be read, in a few words."""
    from PIL import UnidentifiedImageError

    if isinstance(problem, FileNotFoundError):
        return "there is no such file"
    if not isinstance(problem, UnidentifiedImageError):
        return first_line(problem)
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        start = stream.read(HEAD)
    kind = kind_of(start)
    if kind in NOT_DATA:
        return f"it is {kind}; {NOT_DATA[kind]}"
    known = f", it is {kind}" if kind and not kind.endswith("image") else ""
    return f"not an image that Pillow reads{known}" if start else "an empty file"


def read_picture(source: Source, rules: ImageRules, *, name: str | None = None) -> Picture:
    """An image file by the rules. Raises `DataError` with `name`, else the path, where it cannot be read."""
    shown = name or (str(source) if isinstance(source, Path) else "the image")
    if rules.channels not in MODES:
        raise DataError(f"{shown}: the model wants images of {rules.channels} channels, which no image file holds")
    try:
        with quiet(), open_image(source) as opened:
            header = inspect(opened, source, load=True)
            refusal = header.depth.refusal(rules.depth)
            if refusal is not None:
                raise DataError(f"images of its kind {refusal[0]}; convert it to 8 bits")
            return decode(opened, source, header, rules)
    except Exception as problem:  # a damaged file raises another exception for each decoder
        raise DataError(f"cannot read {shown}: {why(problem, source)}") from problem
