"""CSV and Parquet files, read a part at a time: texts as they are written, numbers of pixels, encoded images."""

from __future__ import annotations

import csv
import gzip
import json
import math
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.file_kind import GZIP, kind_of, read_head, unlike
from mnistarena.errors import DataError, first_line
from mnistarena.text import few

ROWS = 4096
"""Rows that are read at once."""
WANTED = "a CSV or Parquet file"

NUMBERED = 'write header = false, and call the columns "0", "1", …'

Rows = tuple[list[list[str]], NDArray[np.uint8]]
"""Of some rows, the columns of text that were asked for, and their pixels `(rows, columns)`."""


class Table(Protocol):
    """A file of rows.

    `encoded` are its columns that hold image files, `classes` the names that it gives to labels 0, 1, … of a column.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def columns(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def encoded(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def classes(self) -> Mapping[str, Sequence[str]]: ...  # noqa: D102

    def rows(self, texts: Sequence[str], pixels: Sequence[str]) -> Iterator[Rows]:
        """All rows, some at a time; a text that is not there is ""."""

    def images(self, column: str) -> Iterator[tuple[str, bytes]]:
        """The image file of each row: its name and its bytes, "" and b"" where they are not there."""


def open_table(path: Path, *, header: bool = True, numbered: str = NUMBERED) -> Table:
    """The table of a file, by its first bytes; without `header`, columns are called "0", "1", ….

    `numbered` says what to do where the names of all columns are numbers.
    Raises `DataError` where the file is none.
    """
    head = read_head(path)
    if head.startswith(b"PAR1"):
        return ParquetTable.of(path)
    if not head.startswith(GZIP) and (kind_of(head) or b"\0" in head):
        raise unlike(path, head, WANTED)
    try:
        with _stream(path) as stream:
            line = next((line for line in stream if line.strip(b"\r\n \xef\xbb\xbf")), b"")
        if line.startswith(GZIP):
            raise DataError(f"{path} was compressed twice with gzip; decompress it once")
        if kind_of(line) or b"\0" in line:
            raise unlike(path, line, WANTED)
        text = line.decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as problem:
        raise _unreadable(path, problem) from problem
    # The one of the usual separators that makes most columns.
    if not text.strip():
        raise DataError(f"{path} has no rows")
    separator, names = max(
        ((s, next(csv.reader([text], delimiter=s), [])) for s in ",;\t"), key=lambda one: len(one[1])
    )
    names = [name.strip() or f"column {number}" for number, name in enumerate(names, 1)]
    if header and all(map(_is_number, names)):
        raise DataError(f"{path} begins with numbers ({few(names)}), not with names of columns; {numbered}")
    several = [name for name, count in Counter(names).items() if count > 1]
    if header and several:
        raise DataError(f"{path} has several columns called {few(several)}; give them different names")
    return CsvTable(path, names if header else [str(n) for n in range(len(names))], separator=separator, header=header)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _stream(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if read_head(path).startswith(GZIP) else path.open("rb")


def _unreadable(path: Path, problem: Exception) -> DataError:
    if isinstance(problem, UnicodeDecodeError):
        return DataError(f"{path} is not UTF-8 text (byte {problem.start}); save it as UTF-8")
    if isinstance(problem, Warning):
        return DataError(f"{path} has rows with more fields than its header; put quotes around texts with a comma")
    again = "; get it again" if isinstance(problem, (EOFError, zlib.error, gzip.BadGzipFile)) else ""
    return DataError(f"{path} cannot be read: {first_line(problem)}{again}")


def _next(frames: Iterator[Any]) -> Any:
    """The next rows, or None; pandas' warning that it drops what a row has too much is raised."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return next(frames, None)


@dataclass(frozen=True)
class CsvTable:
    """A CSV file in UTF-8, gzipped or not."""

    path: Path
    columns: Sequence[str]
    _: KW_ONLY
    separator: str
    header: bool
    encoded: Sequence[str] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def rows(self, texts: Sequence[str], pixels: Sequence[str]) -> Iterator[Rows]:
        """All rows. Every column is read, since pandas tells a row with too many fields only then."""
        import pandas as pd

        numbers = set(pixels)
        try:
            with _stream(self.path) as stream:
                frames = pd.read_csv(
                    stream,
                    sep=self.separator,
                    names=list(self.columns),
                    header=0 if self.header else None,
                    dtype={name: "str" for name in self.columns if name not in numbers},
                    na_filter=False,  # "NA", "None" and "" stay texts
                    index_col=False,
                    skipinitialspace=True,
                    encoding="utf-8-sig",
                    chunksize=ROWS,
                )
                while (frame := _next(frames)) is not None:
                    columns = {name: frame[name].to_numpy() for name in pixels}
                    yield [frame[name].tolist() for name in texts], as_pixels(columns, len(frame), self.path)
        except (ValueError, OSError, EOFError, zlib.error, Warning) as problem:
            raise _unreadable(self.path, problem) from problem

    def images(self, column: str) -> Iterator[tuple[str, bytes]]:
        """None: a CSV file holds no image files."""
        return iter(())


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file, such as Hugging Face's of images: a struct of bytes and path, or bytes."""

    path: Path
    columns: Sequence[str]
    _: KW_ONLY
    encoded: Sequence[str]
    classes: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, path: Path) -> ParquetTable:
        """The table of a file, with the names of classes that Hugging Face keeps in it."""
        schema = _parquet(path).schema_arrow
        import pyarrow as pa

        encoded = [one.name for one in schema if _is_encoded(one.type, pa)]
        try:
            noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
            features = noted["info"]["features"]
            classes = {
                name: list(map(str, feature["names"]))
                for name, feature in features.items()
                if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
            }
        except (ValueError, LookupError, AttributeError, TypeError):
            classes = {}  # no notes of Hugging Face's, or in a form of another time
        return cls(path, schema.names, encoded=encoded, classes=classes)

    def rows(self, texts: Sequence[str], pixels: Sequence[str]) -> Iterator[Rows]:
        """All rows, with the asked columns alone read."""
        import pyarrow as pa

        for batch in self._batches([*texts, *pixels]):
            found = []
            for name in texts:
                try:
                    column = batch.column(name).cast(pa.string())
                except pa.ArrowException as problem:
                    raise DataError(
                        f"{self.path}: column {name} cannot be a label or a name: {batch.column(name).type}"
                    ) from problem
                found.append(["" if text is None else text for text in column.to_pylist()])
            columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in pixels}
            yield found, as_pixels(columns, len(batch), self.path)

    def images(self, column: str) -> Iterator[tuple[str, bytes]]:
        """The images of a column, some rows read at a time."""
        for batch in self._batches([column], 256):
            for cell in batch.column(column).to_pylist():
                found = cell if isinstance(cell, dict) else {"bytes": cell}
                yield found.get("path") or "", found.get("bytes") or b""

    def _batches(self, columns: list[str], size: int = ROWS) -> Iterator[Any]:
        import pyarrow as pa

        batches = _parquet(self.path).iter_batches(size, columns=columns)
        try:
            yield from batches
        except (pa.ArrowException, OSError) as problem:
            raise DataError(f"{self.path} cannot be read: {first_line(problem)}; get it again") from problem


def _parquet(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as problem:
        raise DataError(
            f'{path} is a Parquet file, which needs pyarrow: pip install "mnistarena[parquet]"'
        ) from problem
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as problem:
        raise DataError(f"{path} cannot be read: {first_line(problem)}; get it again") from problem


def _is_encoded(kind: Any, pa: Any) -> bool:
    """Whether a column holds image files: bytes, or Hugging Face's struct of bytes and path."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def listed_pixels(texts: Sequence[str], column: str, path: Path) -> NDArray[np.uint8]:
    """Texts that hold all pixels of an image, such as "70 80 82", as `(texts, pixels)`. Raises `DataError`."""
    if not texts:
        return np.empty((0, 0), np.uint8)
    counts = sorted({len(text.split()) for text in texts})
    if len(counts) > 1:
        raise DataError(f"{path}: column {column} holds {few(counts)} pixels an image; all must have as many")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns where it stops at what is no number
            values = np.fromstring(" ".join(texts), float, sep=" ")
    except (ValueError, DeprecationWarning) as problem:
        raise DataError(f"{path}: column {column} does not hold numbers alone, such as {texts[0][:20]!r}") from problem
    return as_pixels({column: values}, len(values), path).reshape(len(texts), -1)


def as_pixels(columns: Mapping[str, NDArray[Any]], count: int, path: Path) -> NDArray[np.uint8]:
    """Columns of numbers as pixels `(count, columns)`. Raises `DataError` where they are not whole, 0 … 255."""
    pixels = np.empty((count, len(columns)), np.uint8)
    if not count:
        return pixels
    for index, (name, values) in enumerate(columns.items()):
        if values.dtype.kind not in "iufb":
            shown = few([f'"{value}"' for value in values.tolist() if not _is_number(str(value))], 2)
            raise DataError(f"{path}: the pixels of column {name} are not all numbers: {shown}")
        if values.dtype == np.uint8:
            pixels[:, index] = values
            continue
        if not (values.min() >= 0 and values.max() <= 255 and (values == np.floor(values)).all()):
            everything = np.concatenate([np.asarray(of, float) for of in columns.values() if of.dtype.kind in "iufb"])
            least, most = float(everything.min()), float(everything.max())
            how = "multiply them by 255 and round" if 0 <= least <= most <= 1 else "bring them to this range"
            raise DataError(
                f"{path}: pixels must be whole numbers from 0 to 255, not from {least:g} to {most:g}, such as those of "
                f"column {name}; {how}"
            )
        pixels[:, index] = values
    return pixels
