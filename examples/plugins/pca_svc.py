"""A scikit-learn Pipeline: principal components, then a support vector machine (Cortes and Vapnik 1995)."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class PcaSvcParams(Params):
    """Parameters of the two steps."""

    variance: float = Field(0.9, gt=0, lt=1, description="share of the pixels' variance that the components keep")
    C: float = Field(5.0, gt=0, description="inverse strength of the machine's penalty")


def build(params, task):
    """The pipeline; a machine without probabilities says labels only."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    return make_pipeline(PCA(params.variance, svd_solver="full"), SVC(C=params.C))


@hookimpl
def arena_models():
    """One model; neither step draws anything."""
    summary = "principal components and a support vector machine (scikit-learn's Pipeline)"
    return [
        ModelDef("pca-svc", summary, params=PcaSvcParams, build=build, output="labels", deterministic=True, uses=())
    ]
