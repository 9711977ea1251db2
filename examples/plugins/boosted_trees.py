"""Gradient-boosted trees of xgboost (Chen and Guestrin 2016), stopped early by images that they were not grown on."""

from importlib.util import find_spec

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl

MISSING = 'xgboost is not installed; call pip install "mnistarena[examples]", or leave the model boosted-trees out'


class BoostedTreesParams(Params):
    """Parameters of boosted trees."""

    rounds: int = Field(200, ge=1, description="rounds at most, each of one tree a class")
    patience: int = Field(10, ge=1, description="rounds without a lower loss after which it stops")
    held: float = Field(0.1, gt=0, lt=1, description="share of the training images that decides this")
    depth: int = Field(4, ge=1, le=20, description="of a tree")
    learning_rate: float = Field(0.3, gt=0, le=1, description="share of each tree that is added")


def check(params, task):
    """Any images, where xgboost is installed."""
    return None if find_spec("xgboost") else MISSING


def build(params, task):
    """xgboost's classifier for scikit-learn, which holds some images back by itself."""
    import numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.model_selection import train_test_split
    from xgboost import XGBClassifier

    class EarlyStopped(BaseEstimator):
        """xgboost refuses labels with gaps, and wants images for its early stopping: held back where none are given."""

        def __init__(self, random_state=0):
            self.random_state = random_state

        def fit(self, X, y, eval_set=None):
            if eval_set is None:
                X, held, y, of_held = train_test_split(X, y, test_size=params.held, random_state=self.random_state)
                eval_set = [(held, of_held)]
            self.classes_, places = np.unique(y, return_inverse=True)
            known = [(images, of, np.isin(of, self.classes_)) for images, of in eval_set]
            pairs = [(images[rows], np.searchsorted(self.classes_, of[rows])) for images, of, rows in known]
            self.trees = XGBClassifier(
                n_estimators=params.rounds,
                early_stopping_rounds=params.patience,
                max_depth=params.depth,
                learning_rate=params.learning_rate,
                max_bin=64,
                subsample=0.8,
                n_jobs=1,
                random_state=self.random_state,
            )
            self.trees.fit(X, places, eval_set=pairs, verbose=False)
            return self

        def predict_proba(self, X):
            return self.trees.predict_proba(X)

    return EarlyStopped()


@hookimpl
def arena_models():
    """One model."""
    summary = "boosted trees with early stopping (xgboost; Chen and Guestrin 2016)"
    return [ModelDef("boosted-trees", summary, params=BoostedTreesParams, build=build, check=check, uses=())]
