"""A page about eight datasets: hardly longer than one about one, and not large."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnistarena.report.write import write_report

from .synthetic import MODELS, build_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The pages of two models on one dataset and on eight."""
    small: dict[str, Any] = {"models": {label: MODELS[label] for label in ("cnn", "vit-8")}, "n": 200, "seeds": 2}
    found = {}
    for number in (1, 8):
        names = tuple(f"set-{at}" for at in range(number))
        run = build_run(tmp_path_factory.mktemp("sets") / "run", datasets=names, epochs=3, **small)
        (found[number],) = write_report(run, markdown=False)
    return found


def test_eight_datasets_take_about_a_megabyte(pages: dict[int, Path]) -> None:
    assert pages[8].stat().st_size < 1_100_000, "a drawing says nothing in each element that the page says once"


@pytest.mark.browser
def test_a_page_about_eight_datasets_is_at_most_half_as_long_again(browser: Browser, pages: dict[int, Path]) -> None:
    heights = {}
    for number, path in pages.items():
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        heights[number] = page.evaluate("document.documentElement.scrollHeight")
        page.close()
    assert heights[8] <= 1.5 * heights[1]
