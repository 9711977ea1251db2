"""`table`: your own images, listed or held in CSV or Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.builtin.datasets.columns import Columns, Wanted, find_columns, images_of, shape_of
from mnistarena.builtin.datasets.keyed import SPLITS, Paths
from mnistarena.builtin.datasets.listed import Folder
from mnistarena.builtin.datasets.rows import Rows, Values, check_columns, check_found, joined, take
from mnistarena.data.assemble import Part, assemble
from mnistarena.data.image_lists import ImageParams, read_images
from mnistarena.data.images import Source
from mnistarena.data.labels import NAMES_OF_CLASSES, ClassNames
from mnistarena.data.large import take as of_rows
from mnistarena.data.tables import Table, open_table
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, LeftOut
from mnistarena.plugin.hooks import hookimpl
from mnistarena.text import few


class TableParams(ImageParams):
    """Parameters of table."""

    path: Paths = Field(
        description=(
            "CSV or Parquet file, from the spec's folder, gzipped or not, or several by a pattern, such as "
            '"data/train-*.parquet"; or one a split, { train = …, test = … }'
        )
    )
    label: str | None = Field(None, description="column of labels; needed where none has a usual name, such as label")
    image: str | None = Field(
        None, description="column of image files, or of their paths; likewise, such as image or file_name"
    )
    images: str | None = Field(
        None, description="folder of the image files, from the spec's folder; by default the table's"
    )
    pixels: str | None = Field(
        None,
        description='what columns of pixels begin with, such as "pixel", needed where numbered columns differ; or one '
        'column with all pixels of an image, "70 80 82 …"',
    )
    layout: Literal["NHWC", "NCHW"] | None = Field(
        None, description='order of coloured columns of pixels: "NHWC", pixel by pixel, or "NCHW", colour by colour'
    )
    split: str | None = Field(
        None,
        description='column that says which rows train, test and validate; by default split, if there; "": none',
    )
    train: str | None = Field(None, min_length=1, description='what that column holds for images to train on; "train"')
    test: str | None = Field(None, min_length=1, description='as train, to test on; "test", where there are such')
    validation: str | None = Field(
        None, min_length=1, description='as train, to validate on; "validation" or "val", likewise'
    )
    groups: str | None = Field(None, description="column that holds the same for images that belong together")
    header: bool = Field(True, description='false: a CSV file without names of columns; they are "0", "1", …')
    class_names: ClassNames = Field(None, description=NAMES_OF_CLASSES)


def load_table(params: TableParams, context: DataContext) -> Dataset:
    """Images of the rows of CSV or Parquet files: image files by their path, encoded in a column, or pixel by pixel.

    Labels are texts as they are written, classes in their order, that of the numbers where all are whole numbers.
    Raises `DataError` that names and counts what cannot be used.
    """
    try:
        return _load(params, context)
    except DataError as problem:
        text = str(problem)
        raise DataError(text if text.startswith("table: ") else f"table: {text}") from problem


def _load(params: TableParams, context: DataContext) -> Dataset:
    files = _files(params, context)
    tables = {split: [open_table(path, header=params.header) for path in paths] for split, paths in files.items()}
    everything = [table for of in tables.values() for table in of]
    first = everything[0]
    wanted = Wanted(
        params.label,
        params.image,
        pixels=params.pixels,
        split=params.split,
        groups=params.groups,
        one_split="" not in tables,
    )
    columns = find_columns(first, wanted)
    rows = Rows()
    values = Values(params.train, params.test, validation=params.validation)
    for split, of_split in tables.items():
        for table in of_split:
            check_columns(table, columns, first)
            take(table, columns, rows, values, fixed=split, several=len(everything) > 1)
    asked = {"train", *(split for split in SPLITS if split in files or (columns.split and getattr(params, split)))}
    check_found(rows, columns, values, wanted=sorted(asked), where=first.path)
    where = f"table: {first.path}"
    images, kept, left_out = _images(params, columns, rows, context, [table.path for table in everything], where)
    unused = [name for name in first.columns if name not in columns.used]
    rows.left_out += [LeftOut(f'column "{name}"', "column that is not used") for name in unused]
    labels, class_names = _labels(rows, columns, first, params)
    splits = np.array(rows.splits)[kept]
    parts = {}
    for split in SPLITS:
        of = np.flatnonzero(splits == split)
        if len(of):
            chosen, together = kept[of], of[-1] - of[0] + 1 == len(of)
            parts[split] = Part(
                images[of[0] : of[-1] + 1] if together else of_rows(images, of),
                labels[chosen],
                groups=np.array(rows.groups)[chosen] if columns.groups else None,
                names=[rows.names[row] for row in chosen],
            )
    source = f"the table{'s' if len(everything) > 1 else ''} {few([table.path.name for table in everything])}"
    return assemble(parts, where, class_names=class_names, source=source, left_out=(*rows.left_out, *left_out))


def _files(params: TableParams, context: DataContext) -> dict[str, list[Path]]:
    """The files of each split, or of "", all."""
    found = {}
    for split, text in ({"": params.path} if isinstance(params.path, str) else params.path).items():
        path = context.path(text)
        paths = [path]
        if re.search(r"[*?\[]", path.name) and not path.exists():
            paths = sorted(one for one in path.parent.glob(path.name) if one.is_file()) if path.parent.is_dir() else []
            if not paths:
                raise DataError(f"no file fits {path}")
        found[split] = paths
    if params.split is not None and "" not in found:
        raise DataError("path names the file of each split; leave split out, or give one path")
    return found


def _labels(
    rows: Rows, columns: Columns, first: Table, params: TableParams
) -> tuple[NDArray[np.generic], Sequence[str] | Mapping[str, str] | None]:
    """The labels, and what names of classes they are to be read with."""
    labels = np.array(rows.labels)
    names = first.classes.get(columns.label)
    if names is not None and params.class_names is None:
        return labels, names
    # A list of names is for labels 0, 1, 2, …; a table is for labels as they are written.
    if isinstance(params.class_names, list) and all(label.isdecimal() for label in rows.labels):
        labels = labels.astype(np.int64)
    return labels, params.class_names


def _images(
    params: TableParams, columns: Columns, rows: Rows, context: DataContext, tables: Sequence[Path], where: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Sequence[LeftOut]]:
    """The images, which of the rows they are, and what was left out."""
    if rows.pixels:
        if changed := {"fit", "depth", "unreadable", "images"} & params.model_fields_set:
            raise DataError(
                f"{where}: its images are columns of pixels; {', '.join(sorted(changed))} is for image files"
            )
        pixels = joined(rows.pixels, where)
        size = params.target() or columns.grid
        shape = shape_of(pixels.shape[1], size, params.channels, layout=params.layout, where=tables[0])
        images = images_of(pixels, shape, params.layout)
        return images, np.arange(len(images)), ()
    folder = Folder(context.path(params.images) if params.images is not None else tables[0].parent)
    if columns.encoded:
        read = read_images(_Encoded(rows, folder), params, where=where)
        return read.images, read.rows, read.left_out
    found = folder.find_all(rows.paths, where, skip=params.unreadable == "skip")
    order = np.array([SPLITS.index(split) for split in rows.splits]).argsort(kind="stable")
    read = read_images([(rows.names[row], found[row]) for row in order.tolist()], params, where=where)
    return read.images, order[read.rows], (*read.left_out, *folder.not_listed(found, tables))


@dataclass
class _Encoded:
    """The images of the rows that are used, read from the files as they are asked for; they get their own names."""

    rows: Rows
    folder: Folder

    def __len__(self) -> int:
        return len(self.rows.labels)

    def __contains__(self, item: object) -> bool:
        return any(item == source for source in self)

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        index = 0
        for table, column, used in self.rows.encoded:
            for (name, content), taken in zip(table.images(column), used, strict=True):
                if taken:
                    self.rows.names[index] = name or self.rows.names[index]
                    yield self.rows.names[index], content or self.folder.path / name
                    index += 1


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`table`."""
    summary = "your own images, listed or held in CSV or Parquet files"
    return [DatasetDef("table", summary, params=TableParams, load=load_table)]
