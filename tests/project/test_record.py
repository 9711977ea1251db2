"""The page of the record says what the recipe of specs/speedrun.toml is, and what was measured."""

from __future__ import annotations

import re

from benchmarks import record

from ..helpers import ROOT

PAGE = (ROOT / "docs" / "record.md").read_text()
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text()


def test_its_operations_are_those_of_the_recipe():
    (said,) = re.findall(r"takes ([\d.]+) GFLOP", PAGE)
    assert float(said) == round(record.operations() / 1e9, 1)


def test_its_figures_are_those_that_were_measured():
    section = RESULTS.partition("## record\n")[2].partition("\n## ")[0]
    pairs, times = r"([\d.]+)× \(([\d.]+) to ([\d.]+), \d+ pairs\)", r"sprint ([\d.]+) s, published ([\d.]+) s"
    told = re.search(f"{pairs}.*{times}", section)
    assert told is not None
    ratio, least, most, sprint, published = told.groups()
    for shown in (f"{ratio}× ({least} to {most})", f"{sprint} s", f"{published} s"):
        assert shown in PAGE
    roof = re.search(r"training `cnn`, one trial.* roof ([\d,]+) GFLOP/s", RESULTS)
    assert roof is not None
    assert f"{roof[1]} GFLOP/s" in PAGE
    seconds = record.operations() / 1e9 / float(roof[1].replace(",", ""))
    assert f"take {seconds:.2f} s: `sprint` takes {float(sprint) / seconds:.1f} times" in PAGE
