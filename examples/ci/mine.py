"""The model that this repository is about."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class MlpParams(Params):
    """Parameters of a multilayer perceptron."""

    hidden: int = Field(32, ge=1, description="hidden units")


def build(params, task):
    """Flatten, a hidden layer, one output for each class."""
    from torch import nn

    channels, height, width = task.image_shape
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * height * width, params.hidden),
        nn.ReLU(),
        nn.Linear(params.hidden, task.n_classes),
    )


@hookimpl
def arena_models():
    """The one model."""
    return [ModelDef("mlp", "a multilayer perceptron", params=MlpParams, build=build)]
