"""What was found in a dataset's images before anything was trained on them, as plain data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import Required, TypedDict

from mnistarena.plugin.messages import Count, Label, Number, Text

Row = Count
Correlation = Annotated[float, Field(ge=-1.001, le=1.001)]


class FoundImage(TypedDict, total=False):
    """An image of the part `of`, "train" or "test": its row there, and what it is called if it has a name."""

    of: Required[Label]
    row: Required[Row]
    name: Text
    label: Label


class FoundImages(TypedDict):
    """How many images something was found in, and the first of them."""

    n: Count
    first: list[FoundImage]


class LeakedImage(TypedDict, total=False):
    """A test image that is a training image, too; both rows are those of the dataset, as the stored index has them.

    `correlation` is that of their pixels where they are nearly equal, and is missing where they are equal.
    """

    test: Required[Row]
    train: Required[Row]
    test_name: Text
    train_name: Text
    correlation: Correlation


class LostClass(TypedDict):
    """A class of the dataset without an image in `part`: "train", "validation" or "test"; it has `images`."""

    name: Label
    part: Label
    images: Count


class SplitAudit(TypedDict, total=False):
    """One way in which trials split the dataset, by `seed` or `split` as in `DrawRecord`.

    `counts` are the images of each class in "train", "validation" and "test". `leaked` are all test images that are
    training images as well, each once, and `leaked_validation` counts those that are validation images only. `groups`
    counts those with images on both sides. Always saying `largest`, the class with most training images, is right for
    the share `largest_accuracy` of the test images.
    """

    seed: Count | None
    split: Count | None
    counts: Required[dict[Label, list[Count]]]
    leaked: Required[list[LeakedImage]]
    leaked_validation: Required[Count]
    lost: Required[list[LostClass]]
    groups: Required[Count]
    largest: Required[Label]
    largest_accuracy: Required[Number]


class LeftOutRecord(TypedDict):
    """How many files or rows of one suffix were not read for one reason, and the first of them."""

    suffix: Label
    reason: Text
    n: Count
    first: list[Text]


class RangeRecord(TypedDict):
    """The least and the greatest value of a part's images, and the median of their greatest values."""

    low: Count
    high: Count
    median_high: Number


class CopiesRecord(TypedDict):
    """How many images of a part are copies of an earlier one in it, and how many test images are training images."""

    train: Count
    test: Count
    across: Count


class TwoLabels(TypedDict):
    """Equal images under several labels: how many different images that is, and the first, each with its copies."""

    n: Count
    first: list[list[FoundImage]]


class AuditRecord(TypedDict, total=False):
    """What was found in a dataset, whole, and in each way of splitting it.

    `counts` are the images of each class in "train" and "test", before limits. `near` is None where nearly equal images
    were not looked for; images that are equal are no part of it. `pooled`: training and test images are put together
    and split several times, so that rows are those of all images. `constant` images have one value in all pixels;
    `dim` ones have a much smaller range than most.
    """

    fingerprint: Required[Label]
    pooled: Required[bool]
    class_names: Required[list[Label]]
    counts: Required[dict[Label, list[Count]]]
    left_out: Required[list[LeftOutRecord]]
    ranges: Required[dict[Label, RangeRecord]]
    constant: Required[FoundImages]
    dim: Required[FoundImages]
    equal: Required[CopiesRecord]
    near: Required[CopiesRecord | None]
    two_labels: Required[TwoLabels]
    splits: Required[list[SplitAudit]]
