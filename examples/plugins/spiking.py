"""A spiking network: leaky integrate-and-fire neurons, trained with a surrogate gradient (Neftci et al. 2019)."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class SpikingParams(Params):
    """Parameters of a spiking network with one hidden layer."""

    hidden: int = Field(256, ge=1, le=8192, description="hidden neurons")
    steps: int = Field(10, ge=1, le=1000, description="time steps for which an image is shown")
    decay: float = Field(0.9, ge=0, le=1, description="what a membrane keeps of its potential from step to step")
    steepness: float = Field(5.0, gt=0, description="of the surrogate of a spike's gradient around the threshold")


def build(params, task):
    """Neurons that fire where their membrane's potential passes 1, and lose 1 by it."""
    import torch
    from torch import nn

    channels, height, width = task.image_shape

    class Spike(torch.autograd.Function):
        """A step, whose gradient is that of a fast sigmoid."""

        @staticmethod
        def forward(context, potential):
            context.save_for_backward(potential)
            return (potential > 0).to(potential.dtype)

        @staticmethod
        def backward(context, gradient):
            (potential,) = context.saved_tensors
            return gradient / (1 + params.steepness * potential.abs()).square()

    class SpikingNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs = nn.Linear(channels * height * width, params.hidden)
            self.outputs = nn.Linear(params.hidden, task.n_classes)

        def forward(self, images):
            """The mean potential of the output neurons, which never fire."""
            current = self.inputs(images.flatten(1))  # an image is a current that stays the same
            membrane = torch.zeros_like(current)
            potential = total = current.new_zeros(len(images), task.n_classes)
            for _ in range(params.steps):
                membrane = params.decay * membrane + current
                spikes = Spike.apply(membrane - 1)
                membrane = membrane - spikes
                potential = params.decay * potential + self.outputs(spikes)
                total = total + potential
            return total / params.steps

    return SpikingNet()


@hookimpl
def arena_models():
    """One model."""
    summary = "leaky integrate-and-fire neurons with surrogate gradients (Neftci et al. 2019)"
    return [ModelDef("spiking", summary, params=SpikingParams, build=build)]
