"""What is true of the sections' first sentences, of several datasets and of the caveats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mnistarena.report.comparison import Comparison
from mnistarena.report.format import percent
from mnistarena.report.view import ReportData
from mnistarena.stats.intervals import ALPHA

from .true_searches import factors, searches
from .truths import by_verdict, clumsy, counts, findings, headline, matches


def answers(c: Comparison, view: ReportData) -> Iterator[str]:
    """The sections' first sentences."""
    means = {row.label: row.mean for row in c.rows if row.mean is not None}
    said = c.answers["ranking"]
    ranks = re.match(
        r"(.+?) (?:has|have) the highest (?:mean )?accuracy, (\S+?\u202f%).*; (.+?) the lowest, (\S+?\u202f%)\.", said
    )
    if ranks:
        top, least = max(means.values()), min(means.values())
        if not matches(ranks[1], {a for a, m in means.items() if abs(m - top) < 1e-12}):
            yield f"not the highest: {said}"
        if not matches(ranks[3], {a for a, m in means.items() if abs(m - least) < 1e-12}) or ranks[2] == ranks[4]:
            yield f"not the lowest: {said}"
    spent = c.answers["time"]
    if re.search(r"fastest|most accurate|Worth|beaten", spent):
        yield f"a superlative without a test: {spent}"
    sure = c.answers["calibration"]
    for word, side in (("Surer than right", 1), ("Less sure than right", -1)):
        shown = re.search(word + r": (.+?)\.(?= |$)", sure)
        wanted = {one.label for one in c.reliabilities if one.gap.p < ALPHA and one.gap.estimate * side > 0}
        if not matches(re.sub(r" \([^)]*\)", "", shown[1]), wanted) if shown else wanted:
            yield f"not what the test shows: {sure}"
    if "confident" in sure:
        yield f"a claim without a test: {sure}"
    taken = re.match(r"Most often, (\S+) is taken for (\S+): ([\d,]+) of ([\d,]+) times", c.answers["confusion"])
    names = c.dataset["class_names"]
    cells = Counter(
        {
            (t, p): sum(m.counts[t][p] for m in c.matrices)
            for t in range(len(names))
            for p in range(len(names))
            if t != p
        }
    )
    if taken:
        cell = names.index(taken[1]), names.index(taken[2])
        if cells[cell] != max(cells.values()) or taken[3] != f"{cells[cell]:,}":
            yield f"not the most frequent: {c.answers['confusion']}"
    elif any(cells.values()):
        yield f"no count of confusions: {c.answers['confusion']}"
    wrong = re.match(r"(\d+) images? of those below", c.answers["gallery"])
    if wrong and int(wrong[1]) != sum(tile.right == 0 for tile in c.tiles):
        yield f"not so many: {c.answers['gallery']}"
    if "wrong for most" in c.answers["gallery"] and any(
        2 * len(tile.misses) <= len(tile.misses) + tile.right for tile in c.tiles
    ):
        yield f"not wrong for most: {c.answers['gallery']}"
    robust = [one for one in c.robustness.recipes if one.mean is not None]
    most = re.match(r"Over .*?, (\S+) has the highest mean accuracy, (\S+?\u202f%)", c.robustness.answer)
    if most and (most[1], most[2]) != (robust[0].label, percent(max(one.mean or 0.0 for one in robust))):
        yield f"not the highest: {c.robustness.answer}"
    soon = re.match(r"In this run (\S+) reaches .*?\((\d+) of (\d+) seeds?", c.answers["target"])
    if soon and (soon[2], soon[3]) not in {
        (str(one.reached), str(one.of)) for one in c.reached if one.label == soon[1]
    }:
        yield f"not so many seeds: {c.answers['target']}"


def over_datasets(view: ReportData) -> Iterator[str]:
    """The sentences on all datasets, and on sizes of one."""
    if view.across and (found := view.across).pairs:
        apart = sum(pair.apart(view.margin) != 0 for pair in found.pairs)
        said = re.search(r"tells (\d+|none) of \d+ pairs apart", found.answer)
        if said and said[1] != str(apart or "none"):
            yield f"not so many apart: {found.answer}"
        first = all(pair.apart(view.margin) == 1 for pair in found.pairs if pair.a == 0)
        if re.search(r"(better than|told apart from) every", found.headline) and not first:
            yield f"not better than every other: {found.headline}"
    for growth in view.growths:
        boards = [c for c in view.comparisons if c.label in growth.datasets]
        for leader, size, verdict in re.findall(
            r"(\S+) at ([\d,]+)(?: and [\d,]+)*, (better than each other)?", growth.answer
        ):
            board = next(c for c in boards if c.dataset["n_train"] == int(size.replace(",", "")))
            others = {row.label for row in board.rows if row.accuracy} - {leader}
            if verdict and by_verdict(board, leader, "better") != others:
                yield f"not better than each other: {growth.answer}"
        if re.search(r"leads|gains most", growth.answer):
            yield f"a superlative without a test: {growth.answer}"


def caveats(view: ReportData) -> Iterator[str]:
    """What two or three seeds can show is told once, and that the best of a grid was chosen by the test images."""
    told = " ".join(view.caveats)
    few = [row for c in view.comparisons for row in c.rows if row.seeds in (2, 3)]
    steady = {entry["label"] for entry in view.plan["entries"] if entry.get("deterministic")}
    if any(row.label not in steady for row in few) != (told.count("51 % of benchmarks") == 1):
        yield "what few seeds can show is not told once"
    if (
        max(Counter(entry.get("model") for entry in view.plan["entries"] if entry["dataset"] == "data0").values()) >= 4
    ) != ("chosen by the test images" in told):
        yield "whether the best of a grid was chosen"


def wrong(view: ReportData) -> Iterator[str]:
    """Everything that is not true in a report."""
    yield from clumsy(view)
    for comparison in view.comparisons:
        for check in (headline, findings, counts, answers, searches, factors):
            yield from check(comparison, view)
    yield from over_datasets(view)
    yield from caveats(view)
