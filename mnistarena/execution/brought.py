"""Predictions that were brought from outside, put where those of a trained model lie: from then on both are alike."""

from __future__ import annotations

from mnistarena.environment import Conditions
from mnistarena.execution.record import trained_record
from mnistarena.plan.brought import BroughtRecipe
from mnistarena.plan.recipe import Trial
from mnistarena.store.trial_folder import TrialFolder


def store_brought(trial: Trial, folder: TrialFolder, conditions: Conditions) -> bool:
    """Store what was brought for a trial, in its empty folder, to be scored; whether there is anything brought."""
    if not isinstance(trial.recipe, BroughtRecipe):
        return False
    folder.write_history(())
    folder.write_predictions(trial.recipe.predicted(trial))
    folder.write(trained_record(trial, {"status": "done"}, request=None, conditions=conditions))
    return True
