"""Random Fourier features (Rahimi and Recht 2007): a kernel machine whose linear layer L-BFGS can fit as a whole."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class RandomFeaturesParams(Params):
    """Parameters of the features."""

    features: int = Field(2000, ge=1, le=100_000, description="random cosines")
    gamma: float = Field(0.5, gt=0, description="of the kernel exp(-gamma · d²), d² the mean square over the pixels")


def build(params, task):
    """Features that are drawn once, and a linear layer on them: the only one that is trained."""
    import math

    import torch
    from torch import nn

    channels, height, width = task.image_shape

    class RandomCosines(nn.Module):
        def __init__(self):
            super().__init__()
            pixels = channels * height * width
            deviation = math.sqrt(2 * params.gamma / pixels)
            self.register_buffer("directions", deviation * torch.randn(pixels, params.features))
            self.register_buffer("phases", 2 * math.pi * torch.rand(params.features))

        def forward(self, images):
            waves = torch.cos(images.flatten(1) @ self.directions + self.phases)
            return math.sqrt(2 / params.features) * waves

    class KernelMachine(nn.Module):
        def __init__(self):
            super().__init__()
            # By these two names the engine knows that it may compute the features of each image once.
            self.backbone, self.head = RandomCosines(), nn.Linear(params.features, task.n_classes)

        def forward(self, images):
            return self.head(self.backbone(images))

    return KernelMachine()


@hookimpl
def arena_models():
    """One model; the optimizer is the spec's: { name = "lbfgs" }."""
    summary = "random Fourier features and a linear layer, for L-BFGS (Rahimi and Recht 2007)"
    return [ModelDef("random-features", summary, params=RandomFeaturesParams, build=build)]
