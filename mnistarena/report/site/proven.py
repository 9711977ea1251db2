"""The mark of a run that `arena verify` checked: what was proved, of these very records and no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mnistarena.errors import StoreError
from mnistarena.store import checked
from mnistarena.store.json_files import read_json
from mnistarena.store.proofs import FindingRecord
from mnistarena.store.results import StoredRun
from mnistarena.text import all_visible, plural


@dataclass(frozen=True)
class Mark:
    """What checks of a run found: `proved` of all its finished trials, `partly` of some, or `different`."""

    kind: Literal["proved", "partly", "different"]
    text: str


@dataclass(frozen=True)
class Proofs:
    """Findings by the digest of the record that they are about."""

    findings: dict[str, list[FindingRecord]]

    def mark(self, run: StoredRun) -> Mark | None:
        """What is proved of a run as it is now; None where none of its finished trials was checked.

        Raises `StoreError` where a record cannot be read.
        """
        done = [trial for trial in run.trials if trial.done]
        found = [self.findings.get(trial.folder.digest_of_record(), ()) for trial in done]
        wrong = [one for of in found for one in of if not one["ok"]]
        if wrong:
            return Mark("different", f"{plural(len(wrong), 'check')} found a difference, such as: {_told(wrong[0])}")
        stored, again = (sum(any(one["check"] == check for one in of) for of in found) for check in ("stored", "again"))
        if not stored:
            return None
        many = f"{stored}" if stored == len(done) else f"{stored} of {len(done)}"
        text = (
            f"every metric of {many} finished {'trial' if len(done) == 1 else 'trials'} was recomputed from the stored "
            f"predictions, bit-identical; {again} of {'it' if len(done) == 1 else 'them'} trained again"
        )
        text += ", with bit-identical predictions, history and weights." if again else "."
        return Mark("proved" if stored == len(done) else "partly", text)


def _told(finding: FindingRecord) -> str:
    return f"{finding['label']} on {finding['dataset']}, seed {finding['seed']}: {finding['text'][:300]}."


def read_proofs(paths: Iterable[Path]) -> Proofs:
    """The findings in files that `arena verify --json` wrote; raises `StoreError`."""
    findings: dict[str, list[FindingRecord]] = defaultdict(list)
    for path in paths:
        try:
            proof = checked.as_proof(read_json(path), path)
        except StoreError as problem:
            raise StoreError(f"{problem}; write it with: arena verify RUN --json > FILE") from None
        for finding in all_visible(proof["findings"]):
            findings[finding["record"]].append(finding)
    return Proofs(dict(findings))
