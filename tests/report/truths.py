"""What a true sentence of a report is: each is read back and compared with the numbers that it speaks of.

Every check yields what is wrong, and nothing where all is true.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mnistarena.evidence.pairs import Pair
from mnistarena.report.comparison import Comparison
from mnistarena.report.format import margin, p_value, percent, points
from mnistarena.report.view import ReportData
from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.verdicts import possible_places

from .generated import Shape


def named(text: str) -> list[str]:
    """The labels of a list such as "a, b and 2 others", the others as so many "?"."""
    found = []
    for one in re.split(r", | and ", text):
        more = re.fullmatch(r"(\d+) others?", one)
        found += ["?"] * int(more[1]) if more else [one]
    return found


def matches(text: str, labels: set[str]) -> bool:
    """Whether a list names these labels and no other, the uncounted ones by their number."""
    found = named(text)
    seen = {one for one in found if one != "?"}
    return seen <= labels and len(found) == len(labels) == len(seen) + found.count("?")


def with_each(c: Comparison, label: str) -> dict[str, Pair]:
    """The pairs of a recipe, seen from it, by the other one."""
    return {one.b: one for pair in c.pairs if label in (pair.a, pair.b) for one in [pair.seen_from(label)]}


def by_verdict(c: Comparison, label: str, verdict: str) -> set[str]:
    return {other for other, pair in with_each(c, label).items() if pair.verdict == verdict}


def sentences(view: ReportData) -> Iterator[str]:
    for c in view.comparisons:
        yield from (c.headline, *(finding.text for finding in c.findings), *c.answers.values(), c.robustness.answer)
    yield from (growth.answer for growth in view.growths)
    yield from (view.across.headline, view.across.answer) if view.across else ()
    yield from (*view.caveats, view.failure_answer)


CLUMSY = {
    r"\b(nan|inf|None|NaN)\b(?! of \d)|−inf|∞": "a figure that is none",
    r"\b1 of 1 (?!seed)": "1 of 1",
    r"(?<![\d.,])1 (seeds|images|pairs|trials|models|recipes|others|comparisons|datasets)\b": "a plural of one",
    r"(?<![\d.,])([2-9]|\d\d+) (seed|image|pair|trial|recipe|other|comparison|dataset)\b(?! c)": "a singular of many",
    r"\b1 (show|are|have)\b|\b([02-9]|\d\d+) (shows|is|has)\b": "a verb",
    r"\w and [^ ,;.(]+ and \w": "and … and",
    r"[ \u202f]{2}|\.\.|,,|;;|\( | \)|^ | $|\(\)": "spaces and stops",
    r"\d\.\d of \d": "a fraction of times",
    r"most accurate .*fastest|fastest .*most accurate": "two superlatives without a test",
    r"[+−](\d{4,}|[2-9]\d\d|1[1-9]\d|10[1-9])\.\d+\u202fpp|(?<![+−\d.])([2-9]\d\d|10[1-9])\.\d+\u202f%": "above 100 %",
    r"\(([^()]+)\), [^()]* \(\1\)": "the smallest as large as the largest",
}


def clumsy(view: ReportData) -> Iterator[str]:
    for said in sentences(view):
        yield from (f"{why}: {said}" for pattern, why in CLUMSY.items() if re.search(pattern, said))
        if said and not said.endswith((".", "!", "?")):
            yield f"no full stop: {said}"


def headline(c: Comparison, view: ReportData, what: Shape) -> Iterator[str]:
    said = c.headline
    ready = {row.label: row for row in c.rows if row.accuracy}
    others = {row.label for row in c.rows}
    winners = [a for a in ready if len(others) > 1 and by_verdict(c, a, "better") == others - {a}]
    won = re.match(
        r"(?:Of the (\d+) recipes that could be compared, )?(\S+) is the most accurate, at (.+?\u202f%):", said
    )
    if won:
        rest = {b for b, pair in with_each(c, won[2]).items() if pair.difference is not None}
        if by_verdict(c, won[2], "better") != rest or not rest:
            yield "a winner that is not better than each other"
        if (won[1] is None) != (rest == others - {won[2]}) or (won[1] and int(won[1]) != len(rest) + 1):
            yield "a winner over some is one over all"
        if won[3] != percent(ready[won[2]].mean):
            yield "the winner's accuracy"
    elif winners:
        yield f"{winners} won, unsaid"
    led = re.search(
        r"single winner: (.+?) (?:has|share) the highest mean accuracy, (.+?\u202f%), but (.*?)\.(?= |$)", said
    )
    if led:
        first = named(led[1])[0]
        if led[2] != percent(ready[first].mean):
            yield "the leader's accuracy"
        open_ = re.search(r"(.+?) cannot be told apart from", led[3])
        equal = re.search(r"(?:^|; )([^;]+?) (?:is|are) practically equal to \S+ \(within ±(.+?)\u202fpp\)", led[3])
        if not matches(open_[1], by_verdict(c, first, "undecided")) if open_ else by_verdict(c, first, "undecided"):
            yield "cannot be told apart: not those that are undecided"
        if not matches(equal[1], by_verdict(c, first, "equal")) if equal else by_verdict(c, first, "equal"):
            yield "practically equal: not those that are"
        if equal and equal[2] != margin(view.margin):
            yield "the margin"
    elif "cannot be told apart" in said or "Tied" in said:
        if any(pair.difference is None for pair in c.pairs) or "Tied" in said:
            yield "cannot be told apart, or tied, without a comparison"
    judged = {label for pair in c.pairs if pair.difference for label in (pair.a, pair.b)}
    if c.pairs and not judged and ("single winner" in said or "most accurate" in said):
        yield "a verdict without a comparison"
    baseline = view.plan.get("baseline")
    if judged and baseline in others - judged and f"The baseline {baseline} is not compared: " not in said:
        yield "the failed baseline is not called so"
    states = {state for (at, _), state in what.lost.items()} if not ready else set()
    if states and (states <= {"pending", "interrupted"}) != ("yet" in said):
        yield "nothing has finished: yet, or for good?"
    if (
        "right most often" in said
        and sum(row.mean == max(r.mean or 0 for r in ready.values()) for row in ready.values()) > 1
    ):
        yield "right most often, at equal counts"
    if len(said) > 700:
        yield "too long"


def findings(c: Comparison, view: ReportData, what: Shape) -> Iterator[str]:
    verbs = {
        "better than": "better",
        "worse than": "worse",
        "practically equal to": "equal",
        "not told apart from": "undecided",
    }
    compared = sum(pair.difference is not None for pair in c.pairs)
    steady = {
        row.label
        for at, row in enumerate(sorted(c.rows, key=lambda r: int(re.sub(r"\D.*", "", r.label[1:]))))
        if at in what.deterministic
    }
    for finding in c.findings:
        found = re.match(
            r"(\S+) is (better than|worse than|practically equal to|not told apart from) (\S+): (\S+\u202fpp)",
            finding.text,
        )
        if found:
            pair = c.pair(found[1], found[3])
            if pair is None or pair.difference is None or pair.verdict != verbs[found[2]]:
                yield f"not the verdict: {finding.text}"
                continue
            if found[4] != points(pair.difference.estimate):
                yield f"not the difference: {finding.text}"
            p = pair.p_equal if pair.verdict == "equal" else pair.p_adjusted
            if p_value(p or 0.0) not in finding.text:
                yield f"not its p: {finding.text}"
            if compared > 1 and f"Holm's correction over {compared:,} pairs" not in finding.text:
                yield f"not its correction: {finding.text}"
            ends = re.search(r"(9[05]) % interval (?:of )?([+−±]\S+?)\u202fpp to ([+−±]\S+?)\u202fpp", finding.text)
            if ends is None or (ends[1] == "90") != (pair.verdict == "equal"):
                yield f"not its interval: {finding.text}"
            if ("would take" in finding.text or "too small" in finding.text) != (pair.verdict == "undecided"):
                yield f"what would decide: {finding.text}"
            if ({found[1], found[3]} <= steady) == (
                "No number of seeds" in finding.text or "seeds of each" in finding.text
            ):
                if {found[1], found[3]} <= steady:
                    yield f"seeds of what has none: {finding.text}"
        elif finding.kind not in ("not compared", "checkpoint") and not re.match(r"\d+ recipes are", finding.text):
            yield f"a verdict without its sentence: {finding.kind}, {finding.text}"
        alone = re.match(r"(\S+) alone is right on ([\d,]+) images?, (\S+) alone on ([\d,]+)", finding.text)
        if "alone" in finding.text and "is right" in finding.text:
            test = alone and c.pair(alone[1], alone[3])
            if not alone or any(row.seeds > 1 for row in c.rows if row.label in (alone[1], alone[3])):
                yield f"one trained model for a recipe of several: {finding.text}"
            elif test and test.mcnemar and f"{test.mcnemar.only_first:,}" != alone[2]:
                yield f"not the count: {finding.text}"


def counts(c: Comparison, view: ReportData, what: Shape) -> Iterator[str]:
    """Certainty, pairs, places and the leaderboard's column speak of the same comparisons."""
    kinds = Counter(pair.verdict for pair in c.pairs if pair.difference is not None)
    total = sum(kinds.values())
    certain, pairs = c.answers["certainty"], c.answers["pairs"]
    said = re.match(r"([\d,]+|None) of ([\d,]+) comparisons", certain)
    if said and (said[1].replace(",", ""), said[2].replace(",", "")) != (
        str(total - kinds["undecided"] or None),
        str(total),
    ):
        yield f"how many are decided: {certain}"
    for number, kind in re.findall(r"([\d,]+) (show|practically|(?:is|are) practically|(?:is|are) undecided)", pairs):
        wanted = (
            kinds["undecided"]
            if "undecided" in kind
            else kinds["equal"]
            if "practically" in kind
            else kinds["better"] + kinds["worse"]
        )
        if int(number.replace(",", "")) != wanted:
            yield f"how many pairs: {pairs}"
    for text in (certain, pairs):
        over = re.search(r"correction over (?:all |the )?([\d,]+|one)", text)
        if over and total and int(over[1].replace(",", "").replace("one", "1")) != total:
            yield f"the family that was not used: {text}"
    at = {row.label: number for number, row in enumerate(c.rows)}
    wanted_places = possible_places(len(at), {(at[p.a], at[p.b]): p.verdict for p in c.pairs})
    for row, place in zip(c.rows, wanted_places, strict=True):
        if row.place != place:
            yield f"{row.label} has the place {row.place}, not {place}"
        pair = c.pair(row.label, c.reference or "")
        if pair is not None and row.verdict != pair.verdict:
            yield f"{row.label} is {row.verdict} on the leaderboard, {pair.verdict} among the pairs"
    if kinds and all(pair.difference is None for pair in with_each(c, c.reference or "").values()):
        yield "the column speaks of a recipe that was compared with none"


def answers(c: Comparison, view: ReportData, what: Shape) -> Iterator[str]:
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


def over_datasets(view: ReportData) -> Iterator[str]:
    """The sentences on all datasets, and on sizes of one."""
    if view.across and (found := view.across).pairs:
        apart = sum(pair.apart(view.margin) != 0 for pair in found.pairs)
        said = re.search(r"tells (\d+|none) of \d+ pairs apart", found.answer)
        if said and said[1] != str(apart or "none"):
            yield f"not so many apart: {found.answer}"
        if "better than every" in found.headline or "told apart from every" in found.headline:
            if not all(pair.apart(view.margin) == 1 for pair in found.pairs if pair.a == 0):
                yield f"not better than every other: {found.headline}"
    for growth in view.growths:
        boards = [c for c in view.comparisons if c.label in growth.datasets]
        for leader, size, verdict in re.findall(
            r"(\S+) at ([\d,]+)(?: and [\d,]+)*, (better than each other)?", growth.answer
        ):
            board = next(c for c in boards if c.dataset["n_train"] == int(size.replace(",", "")))
            if verdict and by_verdict(board, leader, "better") != {row.label for row in board.rows if row.accuracy} - {
                leader
            }:
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


def wrong(view: ReportData, what: Shape) -> Iterator[str]:
    """Everything that is not true in a report."""
    yield from clumsy(view)
    for comparison in view.comparisons:
        for check in (headline, findings, counts, answers):
            yield from check(comparison, view, what)
    yield from over_datasets(view)
    yield from caveats(view)
