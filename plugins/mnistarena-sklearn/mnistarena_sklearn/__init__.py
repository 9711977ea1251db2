"""Four of scikit-learn's classifiers, as baselines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from mnistarena import Between, ModelDef, OneOf, Parameter, Params, Task, hookimpl

# n_jobs is never set: with threads, a forest adds up its trees in the order in which they end, which changes the
# last bits; and a trial's process has its own share of the machine already.


class LogisticRegressionParams(Params):
    """Parameters of `logistic-regression`."""

    C: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")
    max_iter: int = Field(100, ge=1, description="iterations of L-BFGS at most")


class RandomForestParams(Params):
    """Parameters of `random-forest`."""

    n_estimators: int = Field(100, ge=1, le=10_000, description="trees")
    max_depth: int | None = Field(None, ge=1, description="depth of each tree; unlimited without")
    min_samples_leaf: int = Field(1, ge=1, description="images in a leaf at least")


class SvmParams(Params):
    """Parameters of `svm-rbf`."""

    C: float = Field(5.0, gt=0, description="inverse strength of the penalty")
    gamma: Literal["scale", "auto"] | Annotated[float, Field(gt=0)] = Field(
        "scale", description='kernel width; "scale": 1/(features · variance)'
    )


class KnnParams(Params):
    """Parameters of `knn`."""

    n_neighbors: int = Field(5, ge=1, description="neighbours that vote")
    weights: Literal["uniform", "distance"] = Field("distance", description="how their votes count")


def logistic_regression(params: LogisticRegressionParams, task: Task) -> Any:
    """Multinomial logistic regression by L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=params.C, max_iter=params.max_iter)


def random_forest(params: RandomForestParams, task: Task) -> Any:
    """A forest (Breiman 2001); the engine sets its random_state from the trial's seed."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=params.n_estimators, max_depth=params.max_depth, min_samples_leaf=params.min_samples_leaf
    )


def svm_rbf(params: SvmParams, task: Task) -> Any:
    """A support vector machine; its scores become probabilities by Platt's method over five folds."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return CalibratedClassifierCV(SVC(C=params.C, gamma=params.gamma, kernel="rbf"), ensemble=False, cv=5)


def knn(params: KnnParams, task: Task) -> Any:
    """Nearest neighbours by Euclidean distance."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=params.n_neighbors, weights=params.weights)


def check_knn(params: KnnParams, task: Task) -> str | None:
    """A sentence where there are fewer training images than neighbours."""
    if params.n_neighbors > task.n_train:
        return f"n_neighbors = {params.n_neighbors} is more than the {task.n_train} training images"
    return None


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """The four baselines."""
    return [
        ModelDef(
            "logistic-regression",
            "a linear model of the pixels; what any other model should beat",
            params=LogisticRegressionParams,
            build=logistic_regression,
            deterministic=True,
            uses=(),
            search=(Parameter("params.C", Between(1e-3, 10.0, log=True)),),
        ),
        ModelDef(
            "random-forest",
            "a forest of decision trees",
            params=RandomForestParams,
            build=random_forest,
            uses=(),
            search=(
                Parameter("params.n_estimators", Between(50, 400, log=True, integer=True)),
                Parameter("params.max_depth", Between(8, 40, integer=True)),
                Parameter("params.min_samples_leaf", Between(1, 5, integer=True)),
            ),
        ),
        ModelDef(
            "svm-rbf",
            "a support vector machine with an RBF kernel; slow beyond 20,000 images",
            params=SvmParams,
            build=svm_rbf,
            deterministic=True,
            uses=(),
            search=(
                Parameter("params.C", Between(0.5, 50.0, log=True)),
                Parameter("params.gamma", Between(3e-4, 1e-2, log=True)),
            ),
        ),
        ModelDef(
            "knn",
            "the nearest training images vote",
            params=KnnParams,
            build=knn,
            check=check_knn,
            deterministic=True,
            uses=(),
            search=(
                Parameter("params.n_neighbors", Between(1, 15, integer=True)),
                Parameter("params.weights", OneOf(("uniform", "distance"))),
            ),
        ),
    ]
