"""A report in a browser: the page with what it complained about, and what axe finds on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page

COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_TRIM = """
document.querySelectorAll('main :is(section, div, table, tr)').forEach(one => {
  if (!one.checkVisibility() && getComputedStyle(one).display !== 'contents') one.remove();
});
const looks = ['class', 'style', 'hidden', 'data-dark', 'data-head', 'aria-sort', 'aria-pressed'];
document.querySelectorAll('main svg *').forEach(one => one.remove());
document.querySelectorAll('main, main *').forEach(parent => {
  const known = new Set();
  for (const one of [...parent.children]) {
    const parts = [one, ...one.querySelectorAll('*')].map(part => part.tagName
      + looks.map(name => part.getAttribute(name)));
    const look = parts.join();
    if (known.has(look)) one.remove();
    known.add(look);
  }
});
"""
"""Axe takes milliseconds for the colours of an element, and says nothing about text in SVG: what is not shown goes, and
what looks as an element beside it."""


class Visit:
    """A page with everything it complained about and everything it asked for."""

    def __init__(self, page: Page, report: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto((report / "report.html").as_uri())


def violations(page: Page, *, least: Literal["minor", "serious"] = "serious") -> list[str]:
    """What axe finds on a page, of its colours light and dark.

    The context must bypass the page's own policy, which forbids scripts that it does not name, axe's too. Afterwards
    the page has lost what it did not show.
    """
    from axe_playwright_python.sync_playwright import Axe

    def found(**options: Any) -> list[str]:
        # Else axe describes every element that has no violation, half of the time.
        every = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
            for one in every
            if least == "minor" or one["impact"] in ("serious", "critical")
        ]

    told = found(rules={rule: {"enabled": False} for rule in COLOURS})
    page.evaluate(_TRIM)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        told += [f"{scheme}: {one}" for one in found(runOnly={"type": "rule", "values": COLOURS})]
    return told


def opened(tab: Page, report: Path, width: int = 1280) -> Visit:
    """A report, loaded anew."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto("about:blank")
    return Visit(tab, report)
