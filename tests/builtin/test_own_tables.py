"""`table` reads CSV files as they are: pixel by pixel, in splits and groups; labels stay as they are written."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena.builtin.datasets import table

from ..helpers import packed
from .reading import Reader, left_out, pixels, write

load = Reader(*table.arena_datasets())


def kaggle(path, images, labels, names=None):
    """Kaggle's digits: label,pixel0,pixel1,…"""
    names = names or [f"pixel{number}" for number in range(images[0].size)]
    rows = [f"{label},{','.join(map(str, image.ravel()))}" for image, label in zip(images, labels, strict=True)]
    write(path, f"label,{','.join(names)}", *rows)


# Pixels


def test_kaggles_digits_are_images_in_the_order_of_their_columns(tmp_path):
    images = pixels(12, 4, 4)
    kaggle(tmp_path / "train.csv", images, [n % 10 if n < 10 else n - 1 for n in range(12)])
    loaded = load("table", tmp_path, path="train.csv")
    assert np.array_equal(loaded.train_images[:, 0], images)
    assert loaded.class_names == tuple(map(str, range(11))), "in the order of the numbers"
    assert loaded.train_labels[[2, 10, 11]].tolist() == [2, 9, 10]
    assert loaded.train_names[:2] == ["row 1", "row 2"]
    assert loaded.test_images.shape == (0, 1, 4, 4)


@pytest.mark.parametrize(
    ("shape", "names", "params"),
    [
        ((4, 6), [f"{row}x{column}" for row in range(1, 5) for column in range(1, 7)], {}),
        ((4, 6), [f"p{number:04d}" for number in range(24)], {"size": [4, 6]}),
        ((3, 3, 3), None, {"channels": 3, "layout": "NHWC"}),
        ((3, 3, 3), None, {"channels": 3, "layout": "NCHW"}),
    ],
)
def test_the_shape_is_told_by_the_columns_or_asked_for(tmp_path, shape, names, params):
    images = pixels(4, *shape)
    kaggle(tmp_path / "own.csv", images, "abab", names)
    loaded = load("table", tmp_path, path="own.csv", **params)
    if params.get("layout") == "NHWC":
        images = images.transpose(0, 3, 1, 2)
    assert np.array_equal(loaded.train_images, images.reshape(4, params.get("channels", 1), *images.shape[-2:]))


def test_one_column_may_hold_all_pixels_of_an_image(tmp_path):
    images = pixels(6, 4, 4)
    rows = [f"{n % 2},{' '.join(map(str, image.ravel()))},Training" for n, image in enumerate(images)]
    write(tmp_path / "fer.csv", "emotion,pixels,Usage", *rows)
    params = {"label": "emotion", "pixels": "pixels", "split": "Usage", "train": "Training"}
    assert np.array_equal(load("table", tmp_path, path="fer.csv", **params).train_images[:, 0], images)
    for text, sentence in (
        ("1 2 3", "column pixels holds 3, 16 pixels an image; all must have as many"),
        (("x " * 16).strip(), "column pixels does not hold numbers alone, such as"),
        (("1 " * 15) + "256", "pixels must be whole numbers from 0 to 255, not from"),
        ("", "column pixels holds 0, 16 pixels an image"),
    ):
        write(tmp_path / "fer.csv", "emotion,pixels,Usage", *rows, f"1,{text},Training")
        assert sentence in load.refused("table", tmp_path, path="fer.csv", **params)


def test_a_table_without_a_header_calls_its_columns_by_their_numbers(tmp_path):
    images = pixels(4, 2, 2)
    rows = [f"{n % 2},{','.join(map(str, image.ravel()))}" for n, image in enumerate(images)]
    (tmp_path / "mnist.csv.gz").write_bytes(packed(rows[0].encode() + b"\n") + packed("\n".join(rows[1:]).encode()))
    said = load.refused("table", tmp_path, path="mnist.csv.gz")
    assert "begins with numbers (0, " in said
    assert 'write header = false, and call the columns "0", "1", …' in said
    loaded = load("table", tmp_path, path="mnist.csv.gz", header=False, label="0")
    assert np.array_equal(loaded.train_images[:, 0], images)
    assert loaded.class_names == ("0", "1")


def numbered(n, first=0):
    return ",".join(f"pixel{number}" for number in range(first, first + n))


@pytest.mark.parametrize(
    ("lines", "params", "sentence"),
    [
        (
            (f"label,{numbered(5)}", "a,1,2,3,4,5"),
            {},
            "5 pixels an image are not 1 × 2 × 2 (channels, height, width); write size",
        ),
        (
            (f"label,{numbered(3)},pixel9", "a,1,2,3,4"),
            {},
            "has 4 columns of pixels from pixel0 to pixel9, some are missing",
        ),
        (
            (f"label,{numbered(12)}", "a" + ",1" * 12),
            {"channels": 3},
            'in which order are the 12 pixels of an image? write layout = "NHWC"',
        ),
        (
            (f"label,{numbered(4)}", "a,1,2,3,256"),
            {},
            "pixels must be whole numbers from 0 to 255, not from 1 to 256, such as those of column pixel3",
        ),
        (
            (f"label,{numbered(4)}", "a,0,0.5,0.2,1"),
            {},
            "not from 0 to 1, such as those of column pixel1; multiply them by 255 and round",
        ),
        (
            (f"label,{numbered(4)}", "a,1,2,x,4", "b,1,2,,4"),
            {},
            'the pixels of column pixel2 are not all numbers: "x", ""',
        ),
        ((f"label,{numbered(4)}",), {}, "has no row for train"),
        ((f"label,{numbered(4)}", "a,1,2,3,nan"), {}, 'the pixels of column pixel3 are not all numbers: "nan"'),
        ((f"label,{numbered(4)}", "a,1,2,3"), {}, 'the pixels of column pixel3 are not all numbers: ""'),
        ((f"label,{numbered(4)}", "a,1,2,3,4,5"), {}, "has rows with more fields than its header"),
        (
            (f"label,{numbered(4)}", "a,1,2,3,4", "b,1,2,3,4,5"),
            {},
            "cannot be read: Error tokenizing data. C error: Expected 5 fields in line 3, saw 6",
        ),
        (
            (f"label,{numbered(4)}", "a,1,2,3,4"),
            {"fit": "pad"},
            "its images are columns of pixels; fit is for image files",
        ),
        (
            (f"label,{numbered(4)},a0,a1,a2,a3", "a" + ",1" * 8),
            {},
            "several families of numbered columns (4 like pixel0, 4 like a0); say which are",
        ),
        (
            (f"label,file,{numbered(4)}", "a,b,1,2,3,4"),
            {},
            '4 columns of numbers, pixel0, pixel1 and 2 more; say which are the images: image = "file"',
        ),
        (
            (numbered(4), "1,2,3,4"),
            {},
            'has no column of labels with a usual name; write label = "…"; its columns: pixel0',
        ),
        (("label,class,file", "a,b,c"), {}, 'has the columns label and class; say which is the label: label = "label"'),
        (
            ("label,whatever", "a,b"),
            {},
            "has no column of images, or of their paths, with a usual name, and no columns of pixels",
        ),
        (("label,whatever", "a,b"), {"image": "whatevr"}, 'has no column "whatevr"; did you mean "whatever"?'),
        (("label,file", "a,b"), {"pixels": "p"}, 'has no columns "p0", "p1", …; its columns: label, file'),
        (("label,label,file", "a,b,c"), {}, "has several columns called label; give them different names"),
        ((f"label,{numbered(4)}", ",1,2,3,4"), {}, "has no row for train; left out: 1 rows, no label"),
        ((f"label,{numbered(4)}", "a,1,2,3,4"), {}, "there is one class only (a)"),
        (
            (f"label,split,{numbered(4)}", "a,x,1,2,3,4"),
            {},
            'has no row for train, which column split calls train; left out: 1 rows, in no split: "x"',
        ),
        (
            (f"label,g,{numbered(4)}", "a,,1,2,3,4"),
            {"groups": "g"},
            "1 of 1 rows hold nothing in the column of groups g",
        ),
        (
            (f"label,{numbered(4)}", "a,1,2,3,4"),
            {"train": "x", "test": "x"},
            "train, test and validation must be different values",
        ),
    ],
)
def test_a_table_that_is_no_dataset_is_refused(tmp_path, lines, params, sentence):
    write(tmp_path / "own.csv", *lines)
    said = load.refused("table", tmp_path, path="own.csv", **params)
    assert said.startswith("table: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty (0 bytes); get it again"),
        (b"<!doctype html>", "is an HTML page, not data"),
        (packed(b"<!doctype html>"), "is not a CSV or Parquet file but an HTML page"),
        (packed(packed(b"label,file")), "was compressed twice with gzip; decompress it once"),
        (
            packed(b"label,file\n" * 99)[:-20],
            "cannot be read: Compressed file ended before the end-of-stream marker was reached; get it again",
        ),
        (b"PK\x03\x04", "is not a CSV or Parquet file but a zip archive"),
        (b"label,file\ncaf\xe9,a\n", "is not UTF-8 text (byte 14); save it as UTF-8"),
        (b"PAR1", "cannot be read: "),
        ("label,file\na,b\n".encode("utf-16"), "is not a CSV or Parquet file but text in UTF-16; save it as UTF-8"),
        (b"\n \n", "has no rows"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, content, sentence):
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    said = load.refused("table", tmp_path, path="own.csv")
    assert f"table: {path} {sentence}" in said
    assert f"table: there is no file {tmp_path / 'x.csv'}" == load.refused("table", tmp_path, path="x.csv")
    assert f"table: no file fits {tmp_path / '*.parquet'}" == load.refused("table", tmp_path, path="*.parquet")


def test_a_text_far_down_among_the_pixels_is_named(tmp_path, recwarn):
    rows = [f"{'ab'[n % 2]},1,2,3,{n % 256}" for n in range(9000)]
    write(tmp_path / "own.csv", f"label,{numbered(4)}", *rows, "a,1,2,3,oops")
    assert 'column pixel3 are not all numbers: "oops"' in load.refused("table", tmp_path, path="own.csv")
    assert not recwarn.list


def test_labels_stay_as_they_are_written(tmp_path):
    written = ["01", "NA", "None", "True", "1.0", "null", "Ökonomie, alt"]
    rows = [f'"{label}",1,2,3,4' for label in written]
    write(tmp_path / "own.csv", f"label,{numbered(4)}", *rows)
    loaded = load("table", tmp_path, path="own.csv")
    assert [loaded.class_names[label] for label in loaded.train_labels] == written
    write(tmp_path / "own.csv", f"label;{numbered(4).replace(',', ';')}", "01;1;2;3;4", "1;1;2;3;4")
    assert load("table", tmp_path, path="own.csv").class_names == ("01", "1")


def test_names_may_be_given_to_labels(tmp_path):
    kaggle(tmp_path / "own.csv", pixels(4, 2, 2), "0101")
    assert load("table", tmp_path, path="own.csv", class_names=["no", "yes"]).class_names == ("no", "yes")
    said = load.refused("table", tmp_path, path="own.csv", class_names={"0": "no", "2": "yes"})
    assert "2 of 4 train_labels are not a class, such as 1: class_names has 0, 2" in said


# Splits and groups


def test_columns_say_which_rows_are_of_which_split_and_group(tmp_path):
    values = ["train", "Train", "val", "test", "extra", "train", "test"]
    rows = [f"{'ab'[n % 2]},{value},p{n // 2},{n},1,2,3,4" for n, value in enumerate(values)]
    write(tmp_path / "own.csv", f"label,split,patient,id,{numbered(4)}", *rows, ",train,p9,7,1,2,3,4")
    loaded = load("table", tmp_path, path="own.csv", groups="patient")
    assert loaded.train_names == ["row 1", "row 2", "row 6", "row 3"]
    assert loaded.validation_rows.tolist() == [3]
    assert loaded.train_labels.tolist() == [0, 1, 1, 0]
    assert loaded.test_names == ["row 4", "row 7"]
    assert loaded.train_groups[3] == loaded.test_groups[0] != loaded.train_groups[0]
    assert left_out(loaded) == [
        ("row 5", 'in no split: "extra"'),
        ("row 8", "no label"),
        ('column "id"', "column that is not used"),
    ]
    said = load.refused("table", tmp_path, path="own.csv", train="learn")
    assert "has no row for train, which column split calls learn; left out: " in said
    assert said.endswith('write what it holds for them, train = "…", or split = "" if it says other things')
    assert left_out(load("table", tmp_path, path="own.csv", split=""))[0] == ("row 8", "no label")
    write(tmp_path / "own.csv", *(tmp_path / "own.csv").read_text().replace("split", "usage").splitlines())
    other = load("table", tmp_path, path="own.csv", split="usage", train="train", validation="extra")
    assert (other.train_names, other.test_names) == (["row 1", "row 6", "row 5"], ["row 4", "row 7"])
    assert left_out(other)[:2] == [("row 2", 'in no split: "Train"'), ("row 3", 'in no split: "val"')]


def test_a_file_for_each_split_is_one_dataset_and_a_test_file_without_labels_is_refused(tmp_path):
    kaggle(tmp_path / "train.csv", pixels(4, 2, 2), "abab")
    kaggle(tmp_path / "test.csv", pixels(2, 2, 2, seed=1), "ba")
    both = {"train": "train.csv", "test": "test.csv"}
    loaded = load("table", tmp_path, path=both)
    assert np.array_equal(loaded.test_images[:, 0], pixels(2, 2, 2, seed=1))
    assert loaded.test_labels.tolist() == [1, 0]
    assert loaded.test_names == ["test.csv row 1", "test.csv row 2"]
    lines = (tmp_path / "test.csv").read_text().splitlines()
    write(tmp_path / "test.csv", *(line.partition(",")[2] for line in lines))
    said = load.refused("table", tmp_path, path=both)
    assert f"table: {tmp_path / 'test.csv'} has no column label; without labels nothing can be tested: leave" in said
    said = load.refused("table", tmp_path, path=both, split="x")
    assert "path names the file of each split; leave split out" in said
