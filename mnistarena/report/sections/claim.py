"""What the comparisons on a dataset are about: this training sample, others like it, or data like these."""

from __future__ import annotations

from mnistarena.report.sections.search import Search
from mnistarena.store.records import DatasetRecord
from mnistarena.text import plural


def claim(dataset: DatasetRecord) -> str:
    """A sentence that says of what else intervals and verdicts speak than of the images that were seen."""
    folds, splits = dataset.get("folds"), dataset.get("splits")
    if folds or splits:
        which = plural(folds, "fold") if folds else plural(splits or 0, "random split")
        return (
            f"This is about data like these: over {which}, the luck of which images train and which are tested counts "
            "as well as that of seeds (Nadeau and Bengio's correction)."
        )
    if dataset.get("split_seed") == "seed":
        return (
            f"This is about samples of {dataset['n_train']:,} of these training images, drawn anew with each seed, and "
            "test images like these."
        )
    return "This is about these training images and test images like these; another training sample may differ."


def claims(dataset: DatasetRecord, search: Search | None) -> list[str]:
    """That sentence, and one on the recipes where a search chose them."""
    return [claim(dataset), *([search.claim] if search and search.claim else [])]


def split_of(dataset: DatasetRecord) -> str:
    """How the images were split, in words."""
    if dataset.get("folds"):
        return f"cross-validation: {dataset['folds']} folds of all images, each the test images once"
    if dataset.get("splits"):
        return f"{dataset['splits']} times, test images drawn anew from all images"
    if dataset.get("split_seed") == "seed":
        return "training images drawn anew with each seed, the same for all models"
    return f"stratified, the same for all models, split seed {dataset.get('split_seed', 0)}"
