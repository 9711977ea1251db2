"""Pages of every kind of run fit four widths, light and dark, without a violation of axe's; and they are not large."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnistarena.report.write import write_report

from .synthetic import MODELS, build_run
from .visits import SCHEMES, Visit, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

TWO = {label: MODELS[label] for label in ("cnn", "vit-8")}
SETS: dict[str, Any] = {"models": TWO, "n": 200, "seeds": 2, "epochs": 3}
RUNS: dict[str, dict[str, Any]] = {
    "one model, one seed": {"models": {"cnn": MODELS["cnn"]}, "seeds": 1, "n": 100, "epochs": 2},
    "a grid of 12 × 2": {
        "models": {f"cnn[channels={c},norm={n}]": MODELS["cnn"] for c in range(12) for n in ("true", "false")},
        "seeds": 2,
        "n": 100,
        "epochs": 1,
    },
    "one dataset": {**SETS, "datasets": ["set-0"]},
    "eight datasets": {**SETS, "datasets": [f"set-{at}" for at in range(8)]},
    "three classes with long names": {
        "models": TWO,
        "class_names": [f"{kind} of a rather uncommon family of leaves"[:40] for kind in ("oak", "elm", "beech")],
        "seeds": 2,
        "n": 100,
        "epochs": 1,
    },
    "200 trials": {
        "models": {f"cnn[width={at}]": {**MODELS["cnn"], "accuracy": 0.9 + at / 300} for at in range(25)},
        "seeds": 8,
        "n": 500,
    },
}
MEGABYTES = {"one model, one seed": 2, "eight datasets": 1.1, "200 trials": 4}
"""The most that some pages may take."""


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run folder of a kind, with its report, written once."""

    @cache
    def written(kind: str) -> Path:
        path = build_run(tmp_path_factory.mktemp("every") / "run", **RUNS[kind])
        write_report(path, markdown=False)
        return path

    return written


@pytest.mark.parametrize("kind", [kind for kind in RUNS if kind != "one dataset"])
def test_every_page_fits_every_width_and_axe_finds_no_violation(browser: Browser, page_of: Any, kind: str) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    visit = Visit(page, page_of(kind))
    wide = {}
    for width in (360, 768, 2560, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            wide[width, scheme] = page.evaluate("document.documentElement.scrollWidth")
    found = violations(page)
    context.close()
    assert all(found_width <= width for (width, _), found_width in wide.items()), wide
    assert found == []
    assert visit.complaints == []


@pytest.mark.parametrize("kind", MEGABYTES)
def test_a_page_is_not_large(page_of: Any, kind: str) -> None:
    """A drawing says nothing in each element that the page says once."""
    assert (page_of(kind) / "report.html").stat().st_size < MEGABYTES[kind] * 1_000_000


def test_a_page_about_eight_datasets_is_at_most_half_as_long_again(browser: Browser, page_of: Any) -> None:
    heights = {}
    for kind in ("one dataset", "eight datasets"):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        Visit(page, page_of(kind))
        heights[kind] = page.evaluate("document.documentElement.scrollHeight")
        page.close()
    assert heights["eight datasets"] <= 1.5 * heights["one dataset"]
