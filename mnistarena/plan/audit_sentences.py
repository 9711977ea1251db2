"""What the audit of a dataset found, in sentences: what should be known before a run, or a figure of it, is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mnistarena.plugin.audit_record import AuditRecord, FoundImage, LeakedImage, SplitAudit
from mnistarena.text import few, plural

NEAR = 0.001
"""The share of test images that may nearly equal a training image by chance: of MNIST's six in 10,000 do."""
IMBALANCE, LARGE = 1.5, 0.2
"""Always saying one class is worth a sentence where it is right that much more often than chance, and so often."""
PARTS = {"train": "training", "validation": "validation", "test": "test"}


def sentences(label: str, found: AuditRecord) -> list[str]:
    """A sentence for each thing that makes figures on this dataset wrong, or say less than they seem to."""
    rules: tuple[Callable[[AuditRecord], Iterator[str]], ...] = (
        *(_leaks, _two_labels, wrong_ranges, _constant),
        *(_left_out, _groups, _lost, _imbalance),
    )
    return [f"{label}: {sentence}" for rule in rules for sentence in rule(found)]


def sizes(found: AuditRecord) -> str:
    """How many images train, validate and test, in how many classes, and what always saying one class reaches."""
    first = found["splits"][0] if found["splits"] else None
    counts = first["counts"] if first else found["counts"]
    verbs = {"train": "images train", "validation": "validate", "test": "test"}
    said = ", ".join(f"{sum(counts[part]):,} {verbs[part]}" for part in PARTS if sum(counts.get(part, ())))
    if len(found["splits"]) > 1:
        said += f", in the first of {len(found['splits'])} splits"
    classes = counts["train"]
    least, most = min(classes), max(classes)
    each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
    said += f"; {plural(len(classes), 'class', 'classes')} of {each} training images"
    if first is None:
        return f"{said}; there are no test images"
    return f'{said}; always saying "{first["largest"]}" is right for {_percent(first["largest_accuracy"])}'


def title(image: FoundImage) -> str:
    """What an image is called: its name, or its row."""
    return image.get("name") or f"{PARTS[image['of']]} image {image['row']}"


def pair(image: LeakedImage) -> str:
    """A test image and the training image that it is like."""
    test = image.get("test_name") or f"test image {image['test']}"
    train = image.get("train_name") or f"training image {image['train']}"
    return f"{test} and {train}"


def leaked(split: SplitAudit, *, equal: bool) -> list[LeakedImage]:
    """The test images of a split that equal a training image, or nearly do."""
    return [image for image in split["leaked"] if ("correlation" not in image) == equal]


def near_counts(found: AuditRecord) -> bool:
    """Whether more test images nearly equal a training image, in any split, than chance explains."""
    return any(len(leaked(one, equal=False)) > NEAR * sum(one["counts"]["test"]) for one in found["splits"])


def _leaks(found: AuditRecord) -> Iterator[str]:
    for equal, how in ((True, "a copy of"), (False, "nearly equal to")):
        each = [(leaked(split, equal=equal), sum(split["counts"]["test"])) for split in found["splits"]]
        if not any(images for images, _ in each):
            continue
        if not equal and not near_counts(found):
            continue
        images, n = next((images, n) for images, n in each if images)
        kinds = "is" if len(images) == 1 else "are each"
        said = f"{len(images):,} of {plural(n, 'test image')} {kinds} {how} a training image"
        if len(each) > 1:
            some = [len(images) for images, _ in each]
            said = (
                f"in {sum(map(bool, some))} of {len(each)} splits test images are {how} a training image, "
                f"{min(some):,} to {max(some):,} in a split"
            )
        advice = "keep each image once" if equal else "look at them, and keep one of those that are copies"
        if found["pooled"]:
            advice = "keep each image once, or give copies one group"
        yield f"{said} ({few(list(map(pair, images)))}); figures on them say nothing of new images: {advice}"
    validating = max((split["leaked_validation"] for split in found["splits"]), default=0)
    if validating and validating > NEAR * max(sum(split["counts"]["test"]) for split in found["splits"]):
        yield f"{plural(validating, 'test image')} equal validation images, by which the training is chosen"


def _two_labels(found: AuditRecord) -> Iterator[str]:
    n, first = found["two_labels"]["n"], found["two_labels"]["first"]
    if n:
        named = ", ".join(f'{title(image)} as "{image.get("label", "")}"' for image in first[0][:3])
        several = "1 image is there" if n == 1 else f"{n:,} images are each there"
        yield f"{several} under more than one label ({named}{' …' if n > 1 else ''}): correct the labels"


def wrong_ranges(found: AuditRecord) -> Iterator[str]:
    """Sentences about parts, or images, whose values cannot be what uint8 images hold."""
    ranges = {part: of for part, of in found["ranges"].items() if of["high"] > 0}
    for part in sorted(found["ranges"].keys() - ranges.keys(), reverse=True):
        yield f"all {PARTS[part]} images are 0 in every pixel; look at how they were written"
    dark = [part for part, of in ranges.items() if of["high"] < 16]
    if dark and len(dark) == len(ranges):
        high = max(of["high"] for of in ranges.values())
        yield (
            f"the {_both(dark)} images run from 0 to {high}; uint8 images run to 255, which becomes 1: multiply them "
            f"by {255 // high} before the cast"
        )
    elif dark:
        (part,), (other,) = dark, ranges.keys() - {*dark}
        yield (
            f"the {PARTS[part]} images run from 0 to {ranges[part]['high']}, the {PARTS[other]} images to "
            f"{ranges[other]['high']}: bring both to the same scale, 0 to 255"
        )
    if n := found["dim"]["n"]:
        yield (
            f"{plural(n, 'image has', 'images have')} values of at most a sixteenth of those of most others "
            f"({_examples(found['dim']['first'], n)}): bring all to the same scale, 0 to 255"
        )


def _constant(found: AuditRecord) -> Iterator[str]:
    n = found["constant"]["n"]
    black = sum(sum(found["counts"][part]) for part, of in found["ranges"].items() if of["high"] == 0)
    if n > black:
        yield (
            f"{plural(n, 'image has', 'images have')} one value in every pixel "
            f"({_examples(found['constant']['first'], n)}): nothing can be seen on them; leave them out"
        )


def _left_out(found: AuditRecord) -> Iterator[str]:
    if records := found["left_out"]:
        total = sum(record["n"] for record in records)
        kinds = [f"{record['n']:,} {record['suffix']}".strip() + f": {record['reason']}" for record in records]
        example = records[0]["first"][0]
        yield f"{plural(total, 'file or row was', 'files or rows were')} not read, such as {example} ({few(kinds)})"


def _groups(found: AuditRecord) -> Iterator[str]:
    n = max((split["groups"] for split in found["splits"]), default=0)
    if n:
        yield (
            f"{plural(n, 'group has', 'groups have')} images on both sides of the split; what is learned of a group "
            "helps on its test images: move whole groups"
        )


def _lost(found: AuditRecord) -> Iterator[str]:
    for part, noun in PARTS.items():
        names: list[str] = []
        for split in found["splits"]:
            names += [lost["name"] for lost in split["lost"] if lost["part"] == part and lost["name"] not in names]
        if names:
            several = " of some splits" if len(found["splits"]) > 1 else ""
            what = "class has" if len(names) == 1 else "classes have"
            advice = {
                "train": "models cannot learn them: set a larger train_limit, or leave them out",
                "validation": "set more images aside for validation",
                "test": "nothing is known of them: test on more images, or leave them out",
            }[part]
            quoted = few([f'"{name}"' for name in names])
            yield f"{len(names):,} {what} no {noun} images{several} ({quoted}): {advice}"


def _imbalance(found: AuditRecord) -> Iterator[str]:
    for split in found["splits"][:1]:
        share = split["largest_accuracy"]
        if share >= LARGE and share >= IMBALANCE / len(found["class_names"]):
            yield (
                f'always saying "{split["largest"]}" is right for {_percent(share)} of the test images: compare '
                "accuracies with that, and see balanced_accuracy"
            )


def _examples(images: Sequence[FoundImage], n: int) -> str:
    more = n - min(len(images), 3)
    return ", ".join(map(title, images[:3])) + (f" and {more:,} more" if more else "")


def _both(parts: Sequence[str]) -> str:
    return " and the ".join(PARTS[part] for part in parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
