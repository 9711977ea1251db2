"""Every sentence of many generated runs is true of the numbers that it speaks of, and a false one is found."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from mnistarena.report.downloads import downloads
from mnistarena.report.render import render_html, render_markdown
from mnistarena.report.view import build

from .generated import KINDS, generated
from .true_answers import wrong
from .truths import sentences

RUNS = {kind: 2 if kind == "many" else 9 for kind in KINDS}
"""At least 200 runs in all."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_is_true(kind: str) -> None:
    assert sum(RUNS.values()) >= 200
    found = []
    for number in range(RUNS[kind]):
        run, _ = generated(number, kind)
        view = build(run)
        found += [f"{kind} {number}: {problem}" for problem in wrong(view)]
    assert not found, "\n".join(found)


FALSE = {
    "one seed": "No single winner: m0 has the highest mean accuracy, 50.00\u202f%, but m1 cannot be told apart.",
    "tie": "m0 is the most accurate, at 90.00\u202f%: better than m1.",
    "wide margin": "Tied first, at 94.56\u202f%: m0 and m1 and m2 are practically equal.",
    "all failed": "No trial has finished yet, so there is nothing to compare.",
    "failed baseline": "m1 is the most accurate, at 99.00\u202f%: better than m2.",
    "perfect": "Of these 2 trained models, m0 is right most often (nan\u202f%).",
}


@pytest.mark.parametrize("kind", FALSE)
def test_a_false_headline_is_found(kind: str) -> None:
    number = next(n for n in range(9) if kind != "all failed" or "failed" in str(generated(n, kind)[1].lost))
    run, _ = generated(number, kind)
    view = build(run)
    assert not list(wrong(view))
    false = replace(view, comparisons=(replace(view.comparisons[0], headline=FALSE[kind]),))
    assert list(wrong(false))


@pytest.mark.parametrize("kind", ["plain", "failed baseline", "sizes", "views", "wide margin", "search", "factors"])
def test_page_and_markdown_say_the_same_sentences(kind: str) -> None:
    run, _ = generated(1, kind)
    view = build(run)
    page = html.unescape(render_html(view, ()))
    marked = html.unescape(render_markdown(view, ()).replace("\\", ""))
    for said in filter(None, sentences(view)):
        assert said in page
    for comparison in view.comparisons:
        for said in (comparison.headline, *(finding.text for finding in comparison.findings)):
            assert said in marked
    for text in (re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.S), marked):
        assert not re.search(r"\bnan\b|−inf|\bNone\b(?! of)", text)
    assert any("report.json" in one.name for one in downloads(view))
