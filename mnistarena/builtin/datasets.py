"""Fashion-MNIST and scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mnistarena.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.data import stratified
from mnistarena.fetch import obtain
from mnistarena.hookspecs import hookimpl
from mnistarena.idx import read_images, read_labels

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the four files."""

FASHION_DIGESTS = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of each file's content after decompression."""

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class NoParams(Params):
    """No parameters."""


def load_fashion_mnist(params: NoParams, context: DataContext) -> Dataset:
    """Fashion-MNIST (Xiao et al. 2017) from Debian's package, the cache, or torchvision's download."""

    def download() -> None:
        from torchvision.datasets import FashionMNIST

        FashionMNIST(str(home), download=True)

    home = context.data_dir / "fashion-mnist"
    train_images, train_labels, test_images, test_labels = obtain(
        "fashion-mnist",
        list(FASHION_DIGESTS),
        [DEBIAN, home, home / "FashionMNIST" / "raw"],
        download,
        context,
        home=home,
        otherwise=", or install Debian's package dataset-fashion-mnist",
    )
    digests = list(FASHION_DIGESTS.values())
    return Dataset(
        read_images(train_images, digests[0]),
        read_labels(train_labels, digests[1]),
        read_images(test_images, digests[2]),
        read_labels(test_labels, digests[3]),
        FASHION_CLASSES,
        licence="MIT",
        source="Fashion-MNIST, Zalando SE (Xiao, Rasul and Vollgraf 2017)",
    )


def load_digits(params: NoParams, context: DataContext) -> Dataset:
    """scikit-learn's 8 × 8 digits (UCI, Alpaydin and Kaynak 1998): 1,437 to train on, 360 to test.

    The original has no split; this one is stratified and fixed. The 17 levels are spread over 0 … 255.
    """
    from sklearn.datasets import load_digits as of_sklearn

    raw = of_sklearn()
    images = np.rint(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = raw.target.astype(np.int64)
    test = stratified(labels, 360, seed=0)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Dataset(
        images[train],
        labels[train],
        images[test],
        labels[test],
        tuple(str(digit) for digit in range(10)),
        licence="CC BY 4.0",
        source="Optical recognition of handwritten digits, UCI (Alpaydin and Kaynak 1998), as scikit-learn ships it",
    )


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """The builtin datasets."""
    return [
        DatasetDef(
            "fashion-mnist",
            "60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes",
            NoParams,
            load_fashion_mnist,
        ),
        DatasetDef("digits", "1,437 + 360 grey digits, 8 × 8, from scikit-learn", NoParams, load_digits),
    ]
