"""A recipe's training: the spec's default with the model's changes, every component of it looked up and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from mnistarena.plan.grid import Variant
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.recipe import LoadedDataset, PlannedDataset
from mnistarena.plugin.components import Params
from mnistarena.plugin.registry import Component
from mnistarena.spec import optimizers, schema
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec, merge
from mnistarena.spec.table import ComponentEntry
from mnistarena.text import did_you_mean

DEFAULT_EPOCHS = 5


@dataclass(frozen=True)
class PlannedTraining:
    """A training whose components have all of their parameters, and those components.

    The keys that are `changed` stand in the model's `own` table, the others in [training].
    """

    training: schema.Training
    components: tuple[Component, ...]
    _: KW_ONLY
    own: KeyPath
    changed: frozenset[str]


def planned_training(
    variant: Variant, spec: Spec, lookup: Lookup, uses: Collection[str] | None
) -> PlannedTraining | None:
    """The training of a recipe; None where something is wrong with it, with the problems recorded.

    `uses` are the keys that its model uses: what [training] says beside them is not for it.
    """
    changes = merge(variant.table.training, variant.training)
    merged = merge(spec.training, changes)
    if uses is not None:
        for key in sorted(changes.keys() - set(uses) - {"time_limit"}):
            known = f"it uses {', '.join(uses)}" if uses else "it is fitted as its parameters say"
            message = f'"{key}" has no meaning for "{variant.table.name}": {known}; leave it out'
            lookup.problems.add((*variant.where("training"), key), message)
        merged = {key: value for key, value in merged.items() if key in uses or key == "time_limit"}
    if "epochs" not in merged and "steps" not in merged:
        merged["epochs"] = DEFAULT_EPOCHS
    path = variant.where("training") if changes else spec.training_path
    before = len(lookup.problems.found)
    training = lookup.problems.check(schema.Training, merged, path)
    sound = training is not None
    # What is left of a table with a problem has others, but what depends on another key may depend on the wrong one.
    training = training or lookup.problems.rest(schema.Training, merged)
    if training is None:
        return None
    if not sound:
        training = training.model_copy(update={"groups": [], "decayed": "all"})
    found = _Components(training, lookup, changes=changes, own=path, shared=spec.training_path).resolve()
    return found if sound and len(lookup.problems.found) == before else None


class _Components:
    """The components of one training; problems are recorded at the table that holds the key."""

    def __init__(
        self, training: schema.Training, lookup: Lookup, *, changes: Mapping[str, Any], own: KeyPath, shared: KeyPath
    ) -> None:
        self.training, self.lookup, self.problems = training, lookup, lookup.problems
        self.changes, self.own, self.shared = changes, own, shared
        self.components: list[Component] = []

    def at(self, *keys: str | int) -> KeyPath:
        """The path of a key: in the model's table where that changes it, else in [training]."""
        return (*(self.own if keys[0] in self.changes else self.shared), *keys)

    def resolve(self) -> PlannedTraining:
        training = self.training
        loss = self.loss()
        changes: dict[str, Any] = {
            "optimizer": self.optimizer(training.optimizer, ("optimizer",)),
            "groups": [self.group(i, group) for i, group in enumerate(training.groups)],
            "schedule": self.filled("schedule", training.schedule, self.at("schedule")),
            "augmentations": [
                self.filled("augmentation", entry, self.at("augmentations", i))
                for i, entry in enumerate(training.augmentation_entries)
            ],
            "loss": loss,
            "label_smoothing": 0.0,
        }
        if training.monitor_entry.name not in ("accuracy", "loss"):
            changes["monitor"] = self.filled("metric", training.monitor_entry, self.at("monitor"))
        self.closures()
        self.decay()
        self.soft_targets()
        return PlannedTraining(
            training.model_copy(update=changes), tuple(self.components), own=self.own, changed=frozenset(self.changes)
        )

    def filled(self, kind: str, entry: ComponentEntry, path: KeyPath, **given: Any) -> ComponentEntry:
        """An entry with all parameters of its component; as it is where something is wrong."""
        component = self.lookup.component(kind, entry.name, path)
        if component is None:
            return entry
        self.components.append(component)
        params = self.problems.check(component.definition.params, {**entry.arguments, **given}, path, noun="parameter")
        return entry if params is None else _with(entry, params)

    def loss(self) -> ComponentEntry:
        """The loss, with `label_smoothing` among its parameters."""
        training, path = self.training, self.at("loss")
        entry, definition = training.loss_entry, self.definition("loss", training.loss_entry.name)
        if (
            definition is not None
            and training.label_smoothing
            and "label_smoothing" not in definition.params.model_fields
        ):
            self.problems.add(
                self.at("label_smoothing"),
                f'"label_smoothing" works with losses that have it, such as "cross-entropy"; "{entry.name}" has not',
            )
            return entry
        if definition is not None and training.class_weights is not None and not definition.class_weights:
            self.problems.add(
                self.at("class_weights"),
                f'the loss "{entry.name}" takes no class weights; use {self.those("loss", "class_weights")}, or '
                'sampling = "balanced"',
            )
        return self.filled("loss", entry, path)

    def optimizer(self, table: schema.Optimizer, keys: tuple[str | int, ...]) -> schema.Optimizer:
        """An optimizer of torch.optim as it is, a plugin's with all of its parameters."""
        path, name = self.at(*keys), table.name
        plugins = self.lookup.registry.names("optimizer")
        of_torch = name.lower() in optimizers.optimizers()
        if of_torch and name in plugins:
            (origin, *_) = (c.origin for c in self.lookup.registry.all("optimizer") if c.name == name)
            self.problems.add((*path, "name"), f'"{name}" is a class of torch.optim and of {origin}; rename the latter')
        elif not of_torch and name in plugins:
            filled = self.filled("optimizer", table, path)
            return schema.Optimizer.model_validate(filled.model_dump())
        for key, message in optimizers.problems(name, table.arguments, plugins):
            self.problems.add((*path, key), message)
        return table

    def group(self, i: int, group: schema.ParameterGroup) -> schema.ParameterGroup:
        """An entry of `groups`, its settings checked against the optimizer that they are for."""
        table = group.optimizer or self.training.optimizer
        allowed = self.arguments(table.name)
        for key, value in group.arguments.items():
            path = self.at("groups", i, key)
            if allowed is not None and key not in allowed:
                hint = did_you_mean(key, allowed) or f"; known: {', '.join(allowed)}"
                self.problems.add(path, f'unknown argument "{key}" of the optimizer "{table.name}"{hint}')
            elif isinstance(value, (str, dict)):
                self.problems.add(path, f'"{key}" must be a number, a boolean or a list of numbers, not {value!r}')
            elif key == "lr" and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
                self.problems.add(path, f'"lr" must be a number greater than 0, not {value!r}')
        if group.optimizer is None:
            return group
        return group.model_copy(update={"optimizer": self.optimizer(group.optimizer, ("groups", i, "optimizer"))})

    def decay(self) -> None:
        """`decayed = "weights"` needs an optimizer that has a weight decay."""
        allowed = self.arguments(self.training.optimizer.name)
        if self.training.decayed == "weights" and allowed is not None and "weight_decay" not in allowed:
            name = self.training.optimizer.name
            self.problems.add(self.at("decayed"), f'the optimizer "{name}" has no weight decay; leave "decayed" out')

    def closures(self) -> None:
        """An optimizer that evaluates the loss itself steps alone, and on whole batches."""
        training = self.training
        for i, group in enumerate(training.groups):
            if group.optimizer is not None and self.has_closure(group.optimizer.name):
                message = "evaluates the loss itself, which one of several optimizers cannot; give it as the only one"
                self.problems.add(
                    self.at("groups", i, "optimizer"), f'the optimizer "{group.optimizer.name}" {message}'
                )
        name = training.optimizer.name
        if not self.has_closure(name):
            return
        if training.accumulate > 1:
            self.problems.add(
                self.at("accumulate"),
                f'the optimizer "{name}" evaluates the loss several times a step, and "accumulate" does not go with '
                "that; use a larger batch_size",
            )
        if any(group.optimizer is not None for group in training.groups):
            self.problems.add(
                self.at("groups"), f'the optimizer "{name}" evaluates the loss itself: no group may have another one'
            )
        if name.lower() == "lbfgs" and (training.groups or training.lr_factors or training.decayed == "weights"):
            key = "groups" if training.groups else "lr_factors" if training.lr_factors else "decayed"
            self.problems.add(self.at(key), f'the optimizer "{name}" treats all parameters alike; leave "{key}" out')

    def soft_targets(self) -> None:
        """A loss that takes only labels does not go with augmentations that mix classes."""
        loss = self.definition("loss", self.training.loss_entry.name)
        for i, entry in enumerate(self.training.augmentation_entries):
            found = self.definition("augmentation", entry.name)
            if found is not None and found.soft_targets and loss is not None and not loss.soft_targets:
                self.problems.add(
                    self.at("augmentations", i),
                    f'"{entry.name}" mixes classes, and the loss "{loss.name}" takes one class an image; use '
                    f"{self.those('loss', 'soft_targets')}",
                )

    def definition(self, kind: str, name: str) -> Any:
        """The definition of a component that is installed once; else None, which is recorded elsewhere."""
        found = [c.definition for c in self.lookup.registry.all(kind) if c.name == name]
        return found[0] if len(found) == 1 else None

    def those(self, kind: str, ability: str) -> str:
        """The names of components that can do something."""
        return " or ".join(f'"{c.name}"' for c in self.lookup.registry.all(kind) if getattr(c.definition, ability))

    def arguments(self, name: str) -> Sequence[str] | None:
        """The arguments of an optimizer; None where there is none of that name."""
        if name.lower() in optimizers.optimizers():
            return list(optimizers.arguments(name))
        found = self.definition("optimizer", name)
        return None if found is None else list(found.params.model_fields)

    def has_closure(self, name: str) -> bool:
        found = self.definition("optimizer", name)
        return name.lower() in optimizers.WITH_CLOSURE or (found is not None and found.closure)


def _with(entry: ComponentEntry, params: Params) -> ComponentEntry:
    return entry.model_copy(update=params.model_dump(mode="json"))


def check_data(planned: PlannedTraining, data: PlannedDataset, lookup: Lookup) -> None:
    """Record what a training asks of the data and does not get: validation images, classes, full batches."""
    training, label = planned.training, data.label

    def add(key: str, message: str) -> None:
        lookup.problems.add((*(planned.own if key in planned.changed else ("training",)), key), message)

    if isinstance(data, LoadedDataset) and not data.validates:
        adaptive = [c.name for c in planned.components if c.kind == "schedule" and c.definition.needs_validation]
        wishes = [("select", 'select = "best"')] if training.select == "best" else []
        wishes += [("patience", '"patience"')] if training.patience is not None else []
        wishes += [("schedule", f'the schedule "{name}"') for name in adaptive]
        for key, wish in wishes:
            add(key, f'{wish} needs validation images; set "validation" in the dataset "{label}"')
    if not isinstance(data, LoadedDataset):
        return
    weights, classes = training.class_weights, data.task.n_classes
    if isinstance(weights, list) and len(weights) != classes:
        add("class_weights", f'"class_weights" has {len(weights)} entries, and "{label}" has {classes} classes')
    size = training.batch_size * training.accumulate
    if training.drop_last and size > data.task.n_train:
        add("drop_last", f'drop_last leaves nothing: a step takes {size} images, and "{label}" has {data.task.n_train}')
