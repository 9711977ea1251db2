"""`medmnist`: small medical images, downloaded by the package medmnist and read without it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from mnistarena.builtin.datasets.arrays import open_npz
from mnistarena.builtin.datasets.keyed import SPLITS
from mnistarena.data.assemble import Part, assemble
from mnistarena.data.download import obtain
from mnistarena.data.labels import flat_labels
from mnistarena.data.pixels import as_images
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

ORGANS = (
    "bladder",
    "femur-left",
    "femur-right",
    "heart",
    "kidney-left",
    "kidney-right",
    "liver",
    "lung-left",
    "lung-right",
    "pancreas",
    "spleen",
)
CLASSES = {
    "pathmnist": (
        "adipose",
        "background",
        "debris",
        "lymphocytes",
        "mucus",
        "smooth muscle",
        "normal colon mucosa",
        "cancer-associated stroma",
        "colorectal adenocarcinoma epithelium",
    ),
    "dermamnist": (
        "actinic keratoses and intraepithelial carcinoma",
        "basal cell carcinoma",
        "benign keratosis-like lesions",
        "dermatofibroma",
        "melanoma",
        "melanocytic nevi",
        "vascular lesions",
    ),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "pneumoniamnist": ("normal", "pneumonia"),
    "retinamnist": ("0", "1", "2", "3", "4"),
    "breastmnist": ("malignant", "normal, benign"),
    "bloodmnist": (
        "basophil",
        "eosinophil",
        "erythroblast",
        "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
        "lymphocyte",
        "monocyte",
        "neutrophil",
        "platelet",
    ),
    "tissuemnist": (
        "Collecting Duct, Connecting Tubule",
        "Distal Convoluted Tubule",
        "Glomerular endothelial cells",
        "Interstitial endothelial cells",
        "Leukocytes",
        "Podocytes",
        "Proximal Tubule Segments",
        "Thick Ascending Limb",
    ),
    "organamnist": ORGANS,
    "organcmnist": ORGANS,
    "organsmnist": ORGANS,
}
"""What labels 0, 1, 2, … stand for, as the package medmnist 3.0.2 says. The two-dimensional ones with one label an
image: chestmnist has several."""


class MedmnistParams(Params):
    """Parameters of medmnist."""

    flag: Literal[
        "pathmnist",
        "dermamnist",
        "octmnist",
        "pneumoniamnist",
        "retinamnist",
        "breastmnist",
        "bloodmnist",
        "tissuemnist",
        "organamnist",
        "organcmnist",
        "organsmnist",
    ] = Field("pathmnist", description="which of its datasets")
    size: Literal[28, 64, 128, 224] = Field(28, description="pixels a side")


def load_medmnist(params: MedmnistParams, context: DataContext) -> Dataset:
    """One of MedMNIST's datasets of images (Yang et al. 2023), with its own validation split."""
    home, flag = context.data_dir / "medmnist", params.flag

    def download() -> None:
        try:
            import medmnist
        except ImportError as problem:
            raise RuntimeError("it needs the package medmnist: pip install medmnist") from problem
        home.mkdir(parents=True, exist_ok=True)
        found = getattr(medmnist, medmnist.INFO[flag]["python_class"])
        found(split="train", download=True, root=str(home), size=params.size)

    file = f"{flag}.npz" if params.size == 28 else f"{flag}_{params.size}.npz"
    (path,) = obtain("medmnist", [file], folders=[home], download=download, context=context, home=home, by="medmnist")
    archive = open_npz(path)
    parts: dict[str, Part] = {}
    wrong: list[str] = []
    for split in SPLITS:
        prefix = "val" if split == "validation" else split
        labels = flat_labels(archive.take(f"{prefix}_labels"), f"{prefix}_labels", wrong)
        images = as_images(archive.take(f"{prefix}_images"), f"{prefix}_images", wrong)
        parts[split] = Part(images, labels)
    return assemble(
        parts,
        f"medmnist: {path}",
        wrong=wrong,
        class_names=CLASSES[flag],
        source=f"MedMNIST v2, {flag}, {params.size} × {params.size} (Yang et al. 2023)",
        licence="CC BY-NC 4.0" if flag == "dermamnist" else "CC BY 4.0",
    )


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`medmnist`."""
    summary = "small medical images, 28 × 28 to 224 × 224, in eleven datasets"
    return [DatasetDef("medmnist", summary, params=MedmnistParams, load=load_medmnist)]
