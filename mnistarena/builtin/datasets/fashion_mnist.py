"""`fashion-mnist`: Zalando's images of clothes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mnistarena.data.download import obtain
from mnistarena.data.idx import read_images, read_labels
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

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
        folders=[DEBIAN, home, home / "FashionMNIST" / "raw"],
        download=download,
        context=context,
        home=home,
        otherwise=", or install Debian's package dataset-fashion-mnist",
    )
    digests = list(FASHION_DIGESTS.values())
    return Dataset(
        read_images(train_images, digests[0]),
        read_labels(train_labels, digests[1]),
        test_images=read_images(test_images, digests[2]),
        test_labels=read_labels(test_labels, digests[3]),
        class_names=FASHION_CLASSES,
        licence="MIT",
        source="Fashion-MNIST, Zalando SE (Xiao, Rasul and Vollgraf 2017)",
    )


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`fashion-mnist`."""
    return [
        DatasetDef(
            "fashion-mnist",
            "60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes",
            params=NoParams,
            load=load_fashion_mnist,
        )
    ]
