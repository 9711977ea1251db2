"""The report of a run that goes on: built again when trials have ended, with a script that asks for the newest."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import stat
import threading
import time
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mnistarena.errors import ArenaError
from mnistarena.paths import resource
from mnistarena.report.charts.all import figures
from mnistarena.report.render import render_html
from mnistarena.report.view import build
from mnistarena.store.results import read_run
from mnistarena.store.trial_folder import RECORD
from mnistarena.text import plural

_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy" content=")([^"]*)(")')


@dataclass(frozen=True)
class Page:
    """A page of a certain state of the run folder, and the content security policy that it needs."""

    content: bytes
    policy: str
    _: KW_ONLY
    version: str


def version_of(folder: Path) -> str:
    """The state of a run folder: changes when a trial ends, begins again, is chosen, or another plan is started."""
    names = ["plan.json", "looks.json", "searches.json"]
    with suppress(OSError), os.scandir(folder / "trials") as entries:
        names += sorted(f"trials/{entry.name}/{RECORD}" for entry in entries if entry.is_dir(follow_symlinks=False))
    found = hashlib.sha256()
    for name in names:
        with suppress(OSError):
            status = os.lstat(folder / name)
            if stat.S_ISREG(status.st_mode):
                found.update(f"{name} {status.st_mtime_ns} {status.st_size} {status.st_ino}\n".encode())
    return found.hexdigest()[:16]


def with_script(page: str, version: str) -> Page:
    """A page with the script, which its own content security policy is made to allow, and to ask this server."""
    script = (resource("templates") / "watch.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    more = {"script-src": f"'sha256-{digest}'", "connect-src": "'self'"}
    given = _POLICY.search(page)
    policy = _extended(html.unescape(given[2]) if given else "default-src 'none'", more)
    if given:
        page = page[: given.start(2)] + html.escape(policy) + page[given.end(2) :]
    at = page.rfind("</body>")
    at = at if at >= 0 else len(page)
    page = f'{page[:at]}<script data-version="{version}">{script}</script>\n{page[at:]}'
    return Page(page.encode(), f"{policy}; form-action 'none'; frame-ancestors 'none'", version=version)


def _extended(policy: str, more: dict[str, str]) -> str:
    rules = {}
    for rule in filter(None, map(str.strip, policy.split(";"))):
        name, _, sources = rule.partition(" ")
        rules[name] = [source for source in sources.split() if source != "'none'" or name not in more]
    for name, source in more.items():
        rules.setdefault(name, []).append(source)
    return "; ".join(" ".join([name, *sources]) for name, sources in rules.items())


class Watched:
    """The report of a run folder, built anew where somebody asks for it and the folder has changed, one at a time.

    A thread builds: until it is done, the page before is shown. A run folder that cannot be read at the moment, since a
    trial is being replaced, or at all, is told in the note.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._asked, self._built = threading.Event(), threading.Condition()
        self._page: Page | None = None
        self._seen = ""
        self._note = ""
        threading.Thread(target=self._work, name="report", daemon=True).start()

    def page(self) -> Page:
        """The newest page there is; the first is waited for."""
        self._asked.set()
        with self._built:
            self._built.wait_for(lambda: self._page is not None)
            assert self._page is not None
            return self._page

    def news(self) -> dict[str, str]:
        """The version of the newest page, and a note for its reader."""
        self._asked.set()
        with self._built:
            return {"version": self._page.version if self._page else "", "note": self._note}

    def _work(self) -> None:
        while self._asked.wait():
            self._asked.clear()
            version, began = version_of(self.folder), time.monotonic()
            if version != self._seen:
                self._seen = version
                self._build(version)
            # Trials compute beside this: it takes half of a core at most.
            time.sleep(max(0.2, time.monotonic() - began))

    def _build(self, version: str) -> None:
        page = None
        try:
            data = build(read_run(self.folder), short=True)
            page = with_script(render_html(data, figures(data)), version)
            note = f"{data.finished} of {plural(data.trials, 'trial')} finished"
            note += f"; {plural(len(data.lost), 'search', 'searches')} without a choice" * bool(data.lost)
            note += "; refreshed as trials end" * data.incomplete
        except ArenaError as problem:
            note = str(problem)
        except Exception as problem:
            note = f"the report cannot be built: {type(problem).__name__}: {problem}"
        with self._built:
            self._note = note
            if page is None and self._page is None:
                page = with_script(_plain(note), version)
            self._page = page or self._page
            self._built.notify_all()


def _plain(sentence: str) -> str:
    """A page that says one thing."""
    head = '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>mnistarena</title></head>\n'
    return f"{head}<body><main><h1>No report yet</h1><p>{html.escape(sentence)}</p></main></body>\n</html>\n"
