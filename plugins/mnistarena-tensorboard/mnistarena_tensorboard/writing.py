"""The event files of a run, a folder for each trial."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from mnistarena import RunEvent, load_run
from mnistarena.executors import TrialFolder

CURVES = ("train_loss", "validation_loss", "validation_accuracy", "validation_monitor", "learning_rate")
WRITTEN = "written"
"""The file that says of which record a trial's event files are, by its digest."""


class EventFiles:
    """The event files of the trials of a run; `folder` is where they go, None: `tensorboard/` in the run folder."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.run = Path()
        self.open: dict[str, EventFileWriter] = {}
        """The trials that have had rows since they started, by id."""

    def tell(self, event: RunEvent) -> None:
        """Take an event of the run."""
        kind = event["event"]
        if kind == "planned":
            self.run = Path(event["folder"])
        elif kind == "started":
            self._close(event["trial"])
        elif kind == "row":
            self._add_row(event["trial"], event["row"])
        elif kind == "done":
            self._finish(event["trial"], self._stored(event["trial"]))
        elif kind in ("failed", "timeout", "interrupted"):
            self._close(event["trial"])
        elif kind == "ended":
            for trial in load_run(self.run).trials:
                if trial.done:
                    self._finish(trial.id, trial.folder)

    def _stored(self, trial: str) -> TrialFolder:
        """The folder of a trial in the run folder."""
        return TrialFolder(next(path for of in ("trials", "searches") for path in self.run.glob(f"{of}/*-{trial}")))

    def _target(self, stored: TrialFolder) -> Path:
        return (self.run / "tensorboard" if self.folder is None else Path(self.folder)) / stored.path.name

    def _add_row(self, trial: str, row: Mapping[str, Any]) -> None:
        if trial not in self.open:
            self.open[trial] = self._begin(self._stored(trial), row["step"])
        writer = self.open[trial]
        _add_scalars(writer, _curves(row), row["step"])
        writer.flush()

    def _begin(self, stored: TrialFolder, step: float) -> EventFileWriter:
        """A trial's event file, begun anew with the rows that the run folder has before a step."""
        target = self._target(stored)
        target.mkdir(parents=True, exist_ok=True)
        for earlier in (*target.glob("events.out.tfevents.*"), target / WRITTEN):
            earlier.unlink(missing_ok=True)
        writer = EventFileWriter(str(target))
        for row in stored.history():
            if row["step"] < step:
                _add_scalars(writer, _curves(row), row["step"])
        return writer

    def _finish(self, trial: str, stored: TrialFolder) -> None:
        """Write the figures and the parameters of a trial that is done, unless they are there."""
        record, written = stored.read(), self._target(stored) / WRITTEN
        if record is None or (written.is_file() and written.read_text() == record["digest"]):
            return
        if trial not in self.open:
            self.open[trial] = self._begin(stored, float("inf"))
        writer, steps = self.open[trial], record["measurements"].get("steps", 0)
        figures = {f"test/{label}": value for label, value in record["metrics"].items()}
        _add_scalars(writer, figures, steps)
        named = {"label": record["label"], "dataset": record["dataset"], "seed": record["seed"]}
        identity = record["identity"]
        asked = {"model": identity["model"], "training": identity["training"]}
        _add(writer, summary_v2.hparams_pb({**named, **dict(_flat(asked))}, trial_id=trial))
        ended = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
        data = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, session_end_info=ended)
        about = SummaryMetadata(
            plugin_data=SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
        )
        end = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
        _add(writer, Summary(value=[end]))
        self._close(trial)
        written.write_text(record["digest"])

    def _close(self, trial: str) -> None:
        if trial in self.open:
            self.open.pop(trial).close()


def _add_scalars(writer: EventFileWriter, values: Mapping[str, float | None], step: float) -> None:
    scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items() if value is not None]
    _add(writer, Summary(value=scalars), step)


def _add(writer: EventFileWriter, summary: Summary, step: float = 0) -> None:
    writer.add_event(Event(wall_time=time.time(), step=int(step), summary=summary))


def _curves(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of a row of a history, by the name of their curve."""
    logged = {f"logged/{name}": value for name, value in row.get("logged", {}).items()}
    return {**{name: row.get(name) for name in CURVES}, **logged}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The parameters in nested tables, with dots; lists as text, and none that is not set."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
