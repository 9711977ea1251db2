"""`svhn`: house numbers from Street View, downloaded by torchvision and read without torch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mnistarena.builtin.datasets.mat import open_mat
from mnistarena.data.assemble import Part, assemble
from mnistarena.data.download import obtain
from mnistarena.data.labels import flat_labels
from mnistarena.data.pixels import as_images
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
DIGITS = {str(digit): str(digit) for digit in range(10)}


class SvhnParams(Params):
    """No parameters."""


def load_svhn(params: SvhnParams, context: DataContext) -> Dataset:
    """SVHN (Netzer et al. 2011), cropped digits; label 10 of its files is the digit 0."""
    home = context.data_dir / "svhn"

    def download() -> None:
        from torchvision.datasets import SVHN

        for split in FILES:
            SVHN(str(home), split=split, download=True)

    paths = obtain("svhn", list(FILES.values()), folders=[home], download=download, context=context, home=home)
    parts: dict[str, Part] = {}
    wrong: list[str] = []
    for split, path in zip(FILES, paths, strict=True):
        archive = open_mat(path)
        labels = flat_labels(archive.take("y"), f"y of {path.name}", wrong)
        images = as_images(archive.take("X"), f"X of {path.name}", wrong, layout="HWCN")
        parts[split] = Part(images, np.where(labels == 10, 0, labels))
    source = "SVHN, Street View House Numbers, cropped digits (Netzer et al. 2011)"
    return assemble(parts, "svhn", wrong=wrong, class_names=DIGITS, source=source)


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`svhn`."""
    summary = "73,257 + 26,032 colour digits of house numbers, 32 × 32"
    return [DatasetDef("svhn", summary, params=SvhnParams, load=load_svhn)]
