"""What the parts of a trial share: its job, its folder, its data, its transforms, its device."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mnistarena.data.arrays import read_array
from mnistarena.engine.chain import Chain
from mnistarena.engine.measure import contradiction
from mnistarena.plugin.components import ModelDef
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import HistoryRow, Measurements, Send, StageBegan
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.registry import Registry
from mnistarena.plugin.search_identity import is_stopped
from mnistarena.spec.schema import Training
from mnistarena.store.trial_folder import TrialFolder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrialContext:
    """A trial under way. `send` reports; `chain` are its transforms, `recipe` its training.

    `notes` are sentences that go into its record.
    """

    job: Job
    send: Send
    _: KW_ONLY
    registry: Registry
    chain: Chain
    recipe: Training
    device: torch.device
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> TrialFolder:
        """The trial's folder."""
        return TrialFolder(self.job.folder)

    @property
    def seed(self) -> int:
        """The trial's seed."""
        return self.job.identity["seed"]

    @property
    def definition(self) -> ModelDef:
        """The model as its plugin describes it."""
        found: ModelDef = self.registry.get("model", self.job.identity["model"]["name"]).definition
        return found

    @property
    def output(self) -> Output | None:
        """What the model's plugin says that it returns."""
        return self.definition.output

    @property
    def judged_by(self) -> Literal["validation", "test"]:
        """The split that it predicts in the end: a trial of a search never sees the test images."""
        return "validation" if "search" in self.job.identity else "test"

    def prunes(self, row: HistoryRow) -> bool:
        """Whether a trial of a search ends after a row of its history."""
        search = self.job.identity.get("search")
        return search is not None and is_stopped(search, row)

    def array(self, name: str) -> Any:
        """An array of the dataset: `train_images`, `validation_labels`, `test_index` …"""
        return read_array(self.job.data, name)

    def begin(self, stage: str) -> None:
        """Report that a stage begins."""
        self.send(StageBegan(stage))

    def note(self, sentence: str) -> None:
        """Say something of this trial in its record, the report and its log; a sentence is kept once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            print(sentence)

    def check_threads(self, measurements: Measurements) -> None:
        """Note where a training on the processor used more of it than its threads could have."""
        cpu, seconds = measurements["train_cpu_seconds"], measurements["train_seconds"]
        sentence = contradiction(cpu, seconds, self.job.conditions["threads"])
        if sentence is not None and self.device.type == "cpu":
            self.note(sentence)
