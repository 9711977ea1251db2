"""The page on paper: two pages, in light colours and without controls; all of it where that is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnistarena.report.write import write_report

from .synthetic import MODELS, build_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def grid_of(sizes: int, path: Path) -> Path:
    """A grid of six models in some sizes, and its report."""
    grid = {
        f"cnn[channels=[{c},8],norm={n},size={s}]": {**MODELS["cnn"], "accuracy": 0.8 + c / 50 + s / 500}
        for c in (4, 6, 8)
        for n in ("true", "false")
        for s in range(sizes)
    }
    build_run(path, models=grid, seeds=2, n=300, epochs=1, validation=0)
    write_report(path, markdown=False)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More models than a printed page has room for."""
    return grid_of(4, tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many models as have a verdict in a sentence each."""
    return grid_of(2, tmp_path_factory.mktemp("dozen"))


def pages(page: Page, paper: str = "A4") -> int:
    return len(re.findall(rb"/Type /Page\b", page.pdf(format=paper)))


@pytest.mark.parametrize("script", [True, False])
def test_a_printed_report_has_two_pages_and_an_appendix_on_request(
    browser: Browser, script: bool, request: pytest.FixtureRequest
) -> None:
    page = browser.new_page(java_script_enabled=script, color_scheme="dark")
    for which in ("five", "troubled", "several", "dozen", "many"):
        page.goto((request.getfixturevalue(which) / "report.html").as_uri())
        assert pages(page) == 2, which
        assert pages(page, "Letter") == 2, which
        page.get_by_label("Print everything").check()
        assert pages(page) > 4, which
    page.close()


def test_on_paper_are_the_headline_the_leaderboard_the_verdicts_and_the_conditions(
    browser: Browser, several: Path
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((several / "report.html").as_uri())
    page.get_by_role("button", name="Theme").click()  # light
    page.get_by_role("button", name="Theme").click()  # dark, chosen by the reader
    page.locator(".datasets select").select_option("mnist-500")
    page.emulate_media(media="print")
    shown = [one.get_attribute("id") for one in page.locator("main > section:visible").all()]
    assert shown == ["ranking", "verdict", "record"]
    assert page.locator("#ranking h3:visible").all_inner_texts() == ["mnist-500"], "the dataset that was picked"
    assert page.locator("h1").is_visible()
    assert page.locator("#record h3:visible").all_inner_texts() == ["Conditions"]
    assert (
        page.locator(":is(button, input, select, nav, summary):visible").count()
        == page.locator("thead button:visible").count()
    ), "the heads of a table's columns, which are text"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 33, 40)"
    page.close()


def test_a_leaderboard_that_is_cut_on_paper_says_so(browser: Browser, many: Path) -> None:
    page = browser.new_page()
    page.goto((many / "report.html").as_uri())
    assert page.locator("table.board tbody tr:visible").count() == 24
    assert not page.get_by_text("The first 20 of 24 models.").is_visible()
    page.emulate_media(media="print")
    assert page.locator("table.board tbody tr:visible").count() == 20
    assert page.get_by_text("The first 20 of 24 models.").is_visible()
    page.close()
