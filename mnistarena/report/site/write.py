"""A site over many runs, written into a folder: what it holds depends on the run folders alone."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mnistarena.errors import ArenaError, StoreError
from mnistarena.evidence.pooled import Source, images_key
from mnistarena.paths import renamed
from mnistarena.report.charts.all import figures
from mnistarena.report.render import render_html
from mnistarena.report.site.board import Board, board
from mnistarena.report.site.find import Found, addresses_of, find_runs, prepare
from mnistarena.report.site.pages import board_page, index_page
from mnistarena.report.site.proven import Proofs, read_proofs
from mnistarena.report.site.runs import RunEntry, entry_of, in_time
from mnistarena.report.view import build
from mnistarena.store.files import read_bytes, to_json, write_file
from mnistarena.store.results import StoredRun, read_run
from mnistarena.store.run_folder import RunFolder
from mnistarena.text import visible

MANIFEST = "site.json"
HOME = "../../index.html"
"""The address of the index, from a run's report."""
_OWN = re.compile(r"(runs/[A-Za-z0-9_][A-Za-z0-9._-]*/report|boards/[A-Za-z0-9_][A-Za-z0-9._-]*)\.html")


@dataclass(frozen=True)
class Site:
    """A site that was written: its index page, its runs, those that cannot be read, and what was left out and why."""

    index: Path
    runs: tuple[RunEntry, ...]
    _: KW_ONLY
    damaged: tuple[RunEntry, ...]
    boards: tuple[Board, ...]
    left_out: tuple[str, ...]


def write_site(
    folders: Iterable[Path],
    output: Path,
    *,
    verified: Sequence[Path] = (),
    told: Callable[[int, int, str], None] = lambda number, total, name: None,
) -> Site:
    """Write a site over run folders, given or found in folders that are given, into the folder `output`.

    `verified` are files of `arena verify --json`; `told` hears of each run before it is read: its number, of how many,
    its name. The same run folders and files give the same bytes. Raises `StoreError` where there is no run, or `output`
    holds something else; a run that is damaged is said on the index.
    """
    found, left_out = find_runs(folders, output)
    if not found:
        raise StoreError("there is no run folder: " + ("; ".join(left_out[:5]) or "the folders are empty"))
    proofs = read_proofs(verified)
    prepare(output, MANIFEST)
    before = _written_before(output)
    runs: list[tuple[RunEntry, StoredRun]] = []
    damaged: list[RunEntry] = []
    for number, one in enumerate(found, 1):
        told(number, len(found), one.shown)
        try:
            entry, run, page = _read(one, proofs)
        # One run of many, perhaps a stranger's: whatever is wrong with it, the others have their site.
        except Exception as problem:
            damaged.append(RunEntry(one.shown, problem=_sentence(problem, [one])))
            continue
        write_file(output / entry.report, page)
        runs.append((entry, run))
    if verified and not any(entry.mark for entry, _ in runs):
        left_out.append("--verified marks no run: its records are not those of any trial here, as they are now")
    runs.sort(key=lambda each: (in_time(each[0].began), each[0].name))
    boards, failed = _boards(runs)
    damaged += [RunEntry(f"The leaderboard {name}", problem=_sentence(problem, found)) for name, problem in failed]
    newest_first = [entry for entry, _ in reversed(runs)]
    pages = {one.address: board_page(one, newest_first) for one in boards}
    pages["index.html"] = index_page(newest_first, boards, damaged)
    for address, page in pages.items():
        write_file(output / address, page)
    _keep_only(output, before, sorted([*pages, *(entry.report for entry, _ in runs)]))
    return Site(
        output / "index.html",
        tuple(newest_first),
        damaged=tuple(damaged),
        boards=tuple(boards),
        left_out=tuple(left_out),
    )


def _read(one: Found, proofs: Proofs) -> tuple[RunEntry, StoredRun, str]:
    """What the index says of a run, the run, and its report's page."""
    RunFolder(one.path).refuse_links()
    run = read_run(one.path)
    data = build(run)
    return entry_of(one, run, data, proofs.mark(run)), run, render_html(data, figures(data), home=HOME)


def _sentence(problem: Exception, of: Sequence[Found]) -> str:
    """What is wrong with a run, or with one of several; its place on this machine is for nobody else to read."""
    known = isinstance(problem, (ArenaError, OSError))
    text = str(problem) if known else f"{type(problem).__name__}: {problem}"
    for one in of:
        text = renamed(text, one.path, one.shown)
    return visible(text)[:1000]


def _boards(runs: Sequence[tuple[RunEntry, StoredRun]]) -> tuple[list[Board], list[tuple[str, Exception]]]:
    """The leaderboard of every dataset that two runs or more share; and which could not be made, why."""
    shared: dict[str, list[Source]] = defaultdict(list)
    for entry, run in runs:
        for dataset in run.plan["datasets"]:
            if key := images_key(dataset):
                shared[key].append(Source(run, dataset, name=entry.name))
    several = [sources for sources in shared.values() if len({source.name for source in sources}) > 1]
    found: list[Board] = []
    failed: list[tuple[str, Exception]] = []
    for name, sources in zip(addresses_of(of[0].dataset["label"] for of in several), several, strict=True):
        try:
            found.append(board(name, sources))
        except Exception as problem:  # as with a run: the others stand
            failed.append((sources[0].dataset["label"], problem))
    return found, failed


def _written_before(output: Path) -> list[str]:
    """The pages that an earlier build wrote here, as its manifest says."""
    with suppress(StoreError, ValueError, TypeError, KeyError):
        pages = json.loads(read_bytes(output / MANIFEST))["pages"]
        return [page for page in pages if isinstance(page, str) and _OWN.fullmatch(page)]
    return []


def _keep_only(output: Path, before: Sequence[str], pages: Sequence[str]) -> None:
    """Remove pages of an earlier build that this one has not, and note which pages there are."""
    for page in before:
        if page not in pages:
            (output / page).unlink(missing_ok=True)
            with suppress(OSError):  # a folder with something else in it stays
                if page.startswith("runs/"):
                    (output / page).parent.rmdir()
    write_file(output / MANIFEST, to_json({"format": 1, "pages": list(pages)}))
