"""`image-folder`: your own image files."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.data.images import decode
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.text import few

if TYPE_CHECKING:
    from PIL import Image


SPLITS = ("train", "test")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pbm", ".pgm", ".ppm")
GREY = ("1", "L", "LA", "La")
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of more than 8 bits a channel, which it would cut off rather than scale."""
ORIENTATION = 0x0112
"""EXIF's tag of how a camera was held; 5 to 8: on its side."""

Side = Annotated[int, Field(ge=1, le=4096)]


class ImageFolderParams(Params):
    """Parameters of image-folder."""

    path: str = Field(description="folder that holds train/CLASS/IMAGE and test/CLASS/IMAGE, from the spec's folder")
    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = Field(
        None, description="stretch every image to so many pixels a side, or [height, width]; needed where sizes differ"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="make every image grey (1) or coloured (3); needed where both are there"
    )

    def target(self) -> tuple[int, int] | None:
        """(height, width), where the images are to be resized."""
        if self.size is None or isinstance(self.size, list):
            return None if self.size is None else (self.size[0], self.size[1])
        return self.size, self.size


@dataclass(frozen=True)
class _Found:
    """An image file whose header was read: its split, its class, whether it is grey, (height, width)."""

    path: Path
    split: str
    _: KW_ONLY
    label: int
    grey: bool
    shape: tuple[int, int]


def load_image_folder(params: ImageFolderParams, context: DataContext) -> Dataset:
    """Images from `train/CLASS/*` and `test/CLASS/*`, classes in the order of their names.

    Turned upright where EXIF says so; transparent ones are laid over white; of an animation, the first frame.
    Raises `DataError` that names and counts what cannot be used.
    """
    root = context.base_dir / params.path
    classes = _classes(root)
    found = _headers(root, classes)
    shape = params.target() or _common_shape(root, found)
    channels = params.channels or _common_channels(root, found)
    images, labels, broken = {}, {}, []
    for split in SPLITS:
        of_split = [image for image in found if image.split == split]
        labels[split] = np.array([image.label for image in of_split], np.int64)
        images[split] = np.empty((len(of_split), channels, *shape), np.uint8)
        for row, image in enumerate(of_split):
            try:
                images[split][row] = _pixels(image.path, channels, shape)
            except Exception as problem:  # a damaged file: Pillow raises other kinds for each format
                broken.append(_broken(image.path, root, problem))
    if broken:
        raise _error(root, f"{len(broken)} of {len(found)} images cannot be read: {few(broken)}")
    source = f"the image folder {root.resolve().name}"
    return Dataset(
        images["train"],
        labels["train"],
        test_images=images["test"],
        test_labels=labels["test"],
        class_names=classes,
        source=source,
    )


def _error(root: Path, sentence: str) -> DataError:
    return DataError(f"image-folder: {root}: {sentence}")


def _broken(path: Path, root: Path, problem: Exception) -> str:
    # Pillow's own sentences repeat the whole path where it cannot tell the format.
    text = "not an image" if "cannot identify" in str(problem) else str(problem) or type(problem).__name__
    return f"{path.relative_to(root)} ({text})"


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(path: Path) -> list[Path]:
    return sorted(
        entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
    )


def _classes(root: Path) -> tuple[str, ...]:
    """The classes, each with images to train and to test on."""
    if not root.is_dir():
        raise _error(root, "there is no such folder")
    inside = _folders(root)
    missing = [f"{split}/" for split in SPLITS if split not in inside]
    if missing:
        raise _error(root, f"it has no folder {' and no '.join(missing)}; its folders: {few(inside, 10) or 'none'}")
    classes = {split: _folders(root / split) for split in SPLITS}
    wrong = []
    for split, other in (SPLITS, SPLITS[::-1]):
        if not classes[split]:
            wrong.append(f"{split}/ holds no folder of a class")
        elif alone := [name for name in classes[split] if name not in classes[other]]:
            wrong.append(
                f"{len(alone)} of {len(classes[split])} classes are in {split}/ but not in {other}/: {few(alone)}"
            )
    if not wrong and len(classes["train"]) == 1:
        wrong.append(f"there is one class only ({classes['train'][0]}); a classifier needs at least 2")
    empty = [f"{split}/{name}" for split in SPLITS for name in classes[split] if not _files(root / split / name)]
    if empty:
        wrong.append(f"{len(empty)} folders of classes hold no image ({' '.join(SUFFIXES)}): {few(empty)}")
    if wrong:
        raise _error(root, "; ".join(wrong))
    return tuple(classes["train"])


def _headers(root: Path, classes: Sequence[str]) -> list[_Found]:
    """Every image's header, read so that what does not fit is told before anything is decoded."""
    from PIL import Image

    found: list[_Found] = []
    broken, deep = [], []
    for split, (label, name) in itertools.product(SPLITS, enumerate(classes)):
        for path in _files(root / split / name):
            try:
                with Image.open(path) as image:
                    shape = image.size if image.getexif().get(ORIENTATION, 1) > 4 else image.size[::-1]
                    found.append(_Found(path, split, label=label, grey=_grey(image), shape=shape))
                    deep += [str(path.relative_to(root))] if image.mode in DEEP else []
            except Exception as problem:  # Pillow raises other kinds for each format
                broken.append(_broken(path, root, problem))
    wrong = []
    if broken:
        wrong.append(f"{len(broken)} of {len(found) + len(broken)} images cannot be read: {few(broken)}")
    if deep:
        wrong.append(f"{len(deep)} images have more than 8 bits a channel; convert them to 8: {few(deep)}")
    if wrong:
        raise _error(root, "; ".join(wrong))
    return found


def _grey(image: Image.Image) -> bool:
    if image.mode != "P":
        return image.mode in GREY
    palette = image.getpalette() or []
    return palette[0::3] == palette[1::3] == palette[2::3]


def _common_shape(root: Path, found: Sequence[_Found]) -> tuple[int, int]:
    shapes = Counter(image.shape for image in found).most_common()
    if len(shapes) > 1:
        shown = few([f"{height} × {width} ({count})" for (height, width), count in shapes])
        raise _error(root, f"its images have {len(shapes)} sizes, height × width (images): {shown}; set size")
    return shapes[0][0]


def _common_channels(root: Path, found: Sequence[_Found]) -> int:
    grey = sum(image.grey for image in found)
    if 0 < grey < len(found):
        raise _error(root, f"{grey} images are grey, {len(found) - grey} are coloured; set channels to 1 or 3")
    return 1 if grey else 3


def _pixels(path: Path, channels: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """One image, uint8 (channels, height, width)."""
    from PIL import Image

    with Image.open(path) as opened:
        return decode(opened, channels, shape)[0]


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`image-folder`."""
    summary = "your own image files, in train/CLASS/ and test/CLASS/"
    return [DatasetDef("image-folder", summary, params=ImageFolderParams, load=load_image_folder)]
