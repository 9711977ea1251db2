"""What `arena verify --json` prints and `arena site --verified` reads: what was checked of which trials.

A finding names the SHA-256 of its trial's record, which holds the digests of the trial's files: it says nothing of any
other record, whatever the run folder is called.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import Required, TypedDict

from mnistarena.plugin.messages import Count, Label, Text


class FindingRecord(TypedDict, total=False):
    """What was found of one trial. `check`: "stored" of its files and metrics, "again" of a second training.

    `record` is the SHA-256 of its trial.json when it was checked; `text` says what was found.
    """

    trial: Required[Label]
    label: Required[Label]
    dataset: Required[Label]
    seed: Required[Count]
    split: Count | None
    record: Required[Label]
    check: Required[Literal["stored", "again"]]
    ok: Required[bool]
    text: Required[Text]


class ProofRecord(TypedDict):
    """The findings of one `arena verify`; `mnistarena` is the version that checked."""

    format: int
    mnistarena: Label
    run: Label
    findings: list[FindingRecord]
