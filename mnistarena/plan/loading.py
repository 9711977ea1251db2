"""The datasets of a spec: looked up, loaded where their data can be had, fingerprinted."""

from __future__ import annotations

from mnistarena.data.dataset import check_dataset, fingerprint
from mnistarena.data.draws import with_test
from mnistarena.errors import MissingDataError
from mnistarena.paths import data_dir
from mnistarena.plan.alone import planned_dataset
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.recipe import LoadedDataset, PlannedDataset
from mnistarena.plugin.components import DataContext, Dataset
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import Problems


def unique_labels(labelled: list[tuple[KeyPath, str]], kind: str, problems: Problems) -> list[str]:
    """Labels, each once; that one stands twice is recorded."""
    seen: list[str] = []
    for path, label in labelled:
        if label in seen:
            problems.add(path, f'two {kind}s are labelled "{label}"; give one a "label" of its own')
        else:
            seen.append(label)
    return seen


class Loader:
    """Loads datasets; with `fetch` missing data is downloaded, with `split` every split is drawn."""

    def __init__(self, spec: Spec, lookup: Lookup, *, fetch: bool, split: bool = True) -> None:
        self.spec, self.lookup, self.fetch, self.split = spec, lookup, fetch, split
        self.problems = spec.problems
        self.loaded: dict[str, tuple[Dataset, str]] = {}

    def datasets(self) -> list[PlannedDataset]:
        """Every dataset, loaded where its data is available; labels are checked."""
        found, labelled = [], []
        for i, table in enumerate(self.spec.datasets):
            if table is None:
                continue
            path: KeyPath = ("dataset", i)
            labelled.append((path, table.label or table.name))
            if (parts := planned_dataset(table, path, self.lookup)) is None:
                continue
            component, params = parts
            planned = PlannedDataset(table.label or table.name, component, params=params, table=table)
            entry = self.load(planned, path)
            found.append(entry)
            target = self.spec.benchmark is not None and self.spec.benchmark.target is not None
            if target and isinstance(entry, LoadedDataset) and not entry.validates:
                self.problems.add(path, 'the benchmark\'s "target" needs validation images; set "validation"')
        unique_labels(labelled, "dataset", self.problems)
        return found

    def load(self, planned: PlannedDataset, path: KeyPath) -> PlannedDataset:
        """The dataset with its data; as it was where that cannot be had, with the problem recorded."""

        def load() -> LoadedDataset | None:
            try:
                dataset, found = self.load_once(planned)
            except MissingDataError:
                if self.fetch:
                    raise
                return None
            loaded = LoadedDataset(
                planned.label,
                planned.component,
                params=planned.params,
                table=planned.table,
                dataset=dataset,
                fingerprint=found,
            )
            for number in planned.table.numbers if self.split else ():
                loaded.draw(0, number)
            return loaded

        return self.lookup.call(planned.component, "load", load, path) or planned

    def load_once(self, planned: PlannedDataset) -> tuple[Dataset, str]:
        """A dataset's arrays and their fingerprint, the same for all tables that name and divide it in the same way."""
        component, params, table = planned.component, planned.params, planned.table
        key = f"{component.name} {params.model_dump_json()} {table.divided_by}"
        if key not in self.loaded:
            context = DataContext(data_dir(), self.fetch, base_dir=self.spec.source.base_dir)
            dataset = check_dataset(component.definition.load(params, context), component.name)
            if table.divided_by is not None:
                dataset = with_test(dataset, *table.divided_by)
            self.loaded[key] = (dataset, fingerprint(dataset))
        return self.loaded[key]
