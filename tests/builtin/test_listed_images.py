"""`table` reads the images that a CSV or Parquet file lists or holds, and names what it leaves out."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from mnistarena.builtin.datasets import table

from .reading import Reader, left_out, pixels, png, write

load = Reader(*table.arena_datasets())
NAMES = ["plane", "boat", "cat"]


# Image files


@pytest.fixture
def listed(tmp_path):
    """A flat folder of six images, and labels.csv beside it."""
    images = pixels(6, 4, 5)
    (tmp_path / "pics").mkdir()
    for number, image in enumerate(images):
        (tmp_path / "pics" / f"{number}.png").write_bytes(png(image))
    (tmp_path / "pics" / "notes.txt").write_text("mine")
    write(tmp_path / "labels.csv", "file,label", *(f"{n}.png,{'ab'[n % 2]}" for n in range(5)))
    return images


def test_a_folder_beside_a_table_of_labels_is_read(tmp_path, listed):
    loaded = load("table", tmp_path, path="labels.csv", images="pics")
    assert np.array_equal(loaded.train_images[:, 0], listed[:5])
    assert loaded.train_labels.tolist() == [0, 1, 0, 1, 0]
    assert loaded.train_names == [f"{n}.png" for n in range(5)]
    assert left_out(loaded) == [("5.png", "not in the table"), ("notes.txt", "no suffix of an image")]
    assert load("table", tmp_path, path="labels.csv", images="pics", size=8).train_images.shape == (5, 1, 8, 8)


def test_paths_start_at_the_table_with_any_slash_and_with_or_without_suffix(tmp_path, listed):
    write(tmp_path / "labels.csv", "image_id,dx", "pics\\0.png,b", "pics/1,a", "pics/2,b")
    loaded = load("table", tmp_path, path="labels.csv", label="dx")
    assert np.array_equal(loaded.train_images[:, 0], listed[:3])
    assert loaded.train_labels.tolist() == [1, 0, 1]
    (tmp_path / "pics" / "3.png").rename(tmp_path / "pics" / "cafe\u0301.png")  # as macOS writes it
    write(tmp_path / "labels.csv", "file,label", "caf\u00e9.png,b", "0.png,a")
    loaded = load("table", tmp_path, path="labels.csv", images="pics")
    assert np.array_equal(loaded.train_images[:, 0], listed[[3, 0]])


def test_rows_of_several_splits_may_stand_in_any_order(tmp_path, listed):
    splits = ["test", "train", "val", "train", "test", "train"]
    write(tmp_path / "labels.csv", "file,label,split", *(f"{n}.png,{'ab'[n // 3]},{s}" for n, s in enumerate(splits)))
    (tmp_path / "pics" / "5.png").write_bytes(b"nothing")
    loaded = load("table", tmp_path, path="labels.csv", images="pics", unreadable="skip")
    assert np.array_equal(loaded.train_images[:, 0], listed[[1, 3, 2]])
    assert np.array_equal(loaded.test_images[:, 0], listed[[0, 4]])
    assert loaded.train_names == ["1.png", "3.png", "2.png"]
    assert (loaded.train_labels.tolist(), loaded.test_labels.tolist()) == ([0, 1, 0], [0, 1])


def test_images_that_are_not_there_are_counted(tmp_path, listed):
    said = load.refused("table", tmp_path, path="labels.csv")
    assert (
        f"table: {tmp_path / 'labels.csv'}: 5 of 5 images are not in {tmp_path}: 0.png, 1.png, 2.png and 2 more" in said
    )
    assert 'say where they are, images = "FOLDER"' in said
    assert f"there is no folder {tmp_path / 'none'}" in load.refused(
        "table", tmp_path, path="labels.csv", images="none"
    )
    (tmp_path / "pics" / "3.png").unlink()
    (tmp_path / "pics" / "4.png").write_bytes(b"nothing")
    said = load.refused("table", tmp_path, path="labels.csv", images="pics")
    assert "1 of 5 images are not in" in said
    write(tmp_path / "odd.csv", "file,label", f"{'x' * 999}.png,a", "gone.png,b", ",b", "0.png,a")
    said = load.refused("table", tmp_path, path="odd.csv", images="pics")
    assert "3 of 4 images are not in" in said
    assert "and a row without a name" in said.replace(", a row", " and a row")
    loaded = load("table", tmp_path, path="labels.csv", images="pics", unreadable="skip")
    assert loaded.train_names == ["0.png", "1.png", "2.png"]
    assert loaded.train_labels.tolist() == [0, 1, 0]
    assert [name for name, _ in left_out(loaded)] == ["3.png", "4.png", "5.png", "notes.txt"]


# Parquet


def hugging_face(path, images, labels, *, names=NAMES, column="label"):
    """A file as Hugging Face's datasets write it: encoded images, and the names of classes in the schema."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    cells = [
        {"bytes": None if image is None else png(image), "path": f"{number}.png"} for number, image in enumerate(images)
    ]
    features = {"image": {"_type": "Image"}, column: {"names": names, "_type": "ClassLabel"}}
    noted = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kind), (column, pa.int64())], metadata=noted)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": cells, column: pa.array(labels, pa.int64())}, schema), path)


def test_hugging_faces_images_are_read_with_the_names_of_their_classes(tmp_path):
    images = pixels(9, 6, 5, 3)
    for shard in range(2):
        part = slice(shard * 3, shard * 3 + 3)
        hugging_face(tmp_path / "data" / f"train-{shard:05d}.parquet", images[part], [0, 1, 2])
    hugging_face(tmp_path / "data" / "test-00000.parquet", images[6:], [2, 1, 0])
    loaded = load("table", tmp_path, path={"train": "data/train-*.parquet", "test": "data/test-*.parquet"})
    assert loaded.class_names == tuple(NAMES), "in the order of the file's names"
    assert np.array_equal(loaded.train_images, images[:6].transpose(0, 3, 1, 2))
    assert np.array_equal(loaded.test_images, images[6:].transpose(0, 3, 1, 2))
    assert loaded.test_labels.tolist() == [2, 1, 0]
    assert loaded.test_names == ["0.png", "1.png", "2.png"]


def test_rows_without_a_label_are_left_out_and_labels_beyond_the_classes_refused(tmp_path):
    images = pixels(5, 6, 5, 3)
    hugging_face(tmp_path / "own.parquet", images, [0, -1, 1, None, 2], column="fine_label")
    loaded = load("table", tmp_path, path="own.parquet")
    assert np.array_equal(loaded.train_images, images[[0, 2, 4]].transpose(0, 3, 1, 2))
    assert left_out(loaded) == [("row 2", "no label"), ("row 4", "no label")]
    hugging_face(tmp_path / "own.parquet", images, [0, 1, 2, 3, 4])
    said = load.refused("table", tmp_path, path="own.parquet")
    assert "own.parquet: column label holds 3, which is none of its 3 classes" in said


def test_an_image_that_the_file_only_names_is_read_from_the_folder(tmp_path, listed):
    hugging_face(tmp_path / "own.parquet", [None, listed[1], None], [0, 1, 2])
    loaded = load("table", tmp_path, path="own.parquet", images="pics")
    assert np.array_equal(loaded.train_images[:, 0], listed[:3])
    (tmp_path / "pics" / "2.png").unlink()
    assert "1 of 3 images cannot be read: 2.png" in load.refused("table", tmp_path, path="own.parquet", images="pics")


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "own.parquet"
    hugging_face(path, pixels(60, 6, 5, 3), [0, 1, 2] * 20)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert f"table: {path} cannot be read: " in load.refused("table", tmp_path, path="own.parquet")
    path.write_bytes(whole[:20] + bytes(4000) + whole[4020:])
    assert f"{path}" in load.refused("table", tmp_path, path="own.parquet")


def test_parquet_may_hold_bytes_alone_paths_or_pixels(tmp_path, listed):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"data": [png(image) for image in listed], "kind": pa.array(["b", "a"] * 3).dictionary_encode()}
    pq.write_table(pa.table({**columns, "note": [1.5] * 6}), tmp_path / "own.parquet")
    loaded = load("table", tmp_path, path="own.parquet", label="kind")
    assert np.array_equal(loaded.train_images[:, 0], listed)
    assert loaded.train_labels.tolist() == [1, 0] * 3
    assert left_out(loaded) == [('column "note"', "column that is not used")]
    pq.write_table(pa.table({"path": [f"{n}.png" for n in range(4)], "label": [7, 10] * 2}), tmp_path / "own.parquet")
    loaded = load("table", tmp_path, path="own.parquet", images="pics")
    assert np.array_equal(loaded.train_images[:, 0], listed[:4])
    assert loaded.class_names == ("7", "10")
    flat = listed.reshape(6, -1)
    numbers = {f"{n}": flat[:, n] for n in range(20)}
    pq.write_table(pa.table({**numbers, "label": [True, False] * 3}), tmp_path / "own.parquet")
    loaded = load("table", tmp_path, path="own.parquet", size=[4, 5])
    assert np.array_equal(loaded.train_images[:, 0], listed)
    assert [name.lower() for name in loaded.class_names] == ["false", "true"]


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    said = load.refused("table", tmp_path, path="own.parquet")
    assert said.endswith('own.parquet is a Parquet file, which needs pyarrow: pip install "mnistarena[parquet]"')
