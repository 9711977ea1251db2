"""How the images of a dataset are split for a trial, as plain data."""

from __future__ import annotations

from typing_extensions import Required, TypedDict


class SplitIdentity(TypedDict, total=False):
    """A dataset's arrays, by fingerprint, and how they were split; `mnistarena.data.splits.SplitRule` has the keys.

    The last four are there only where they say something.
    """

    fingerprint: Required[str]
    validation: Required[int]
    split_seed: Required[int]
    train_limit: Required[int | None]
    test_limit: Required[int | None]
    test_seed: int
    split: int
    folds: int
    test_share: float
