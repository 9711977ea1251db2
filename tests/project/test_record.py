"""The pages with measured figures say what the newest measurement says, and that of the record what its recipe is."""

from __future__ import annotations

import re

import pytest

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


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (r"training `cnn`, one trial [^|]*\|[^|]*\| ([\d.]+) ", "one trial / two side by side | {} /"),
        (r"… 2 side by side \|[^|]*\| ([\d.]+) ", "/ {} |"),
        (r"`vit` [^|]*\|[^|]*\| ([\d.]+)× ", "per-image loops | {}× |"),
        (r"frozen-backbone [^|]*\|[^|]*\| ([\d.]+)× ", "its features anew | {}× |"),
        (r"a trial's fixed cost [^|]*\|[^|]*\| ([\d.]+) s ", "resuming as many | {} s /"),
        (r"planning 10,000 trials \|[^|]*\| ([\d.]+) s ", "/ {} s /"),
        (r"resuming a run of 10,000 [^|]*\|[^|]*\| ([\d.]+) s ", "/ {} s |"),
    ],
)
def test_what_it_costs_is_as_measured(row: str, shown: str):
    (value,) = re.findall(rf"(?m)^\| (?:share of the machine's GEMM rate while )?{row}", RESULTS)
    assert shown.format(value) in (ROOT / "docs" / "results.md").read_text()
