"""A capsule network with dynamic routing (Sabour et al. 2017), without the network that reconstructs the image."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class CapsulesParams(Params):
    """Parameters of a capsule network; the paper's are width 256, types 32 and kernel 9."""

    width: int = Field(32, ge=1, le=1024, description="feature maps of the convolution")
    types: int = Field(4, ge=1, le=64, description="primary capsules of 8 values at each place")
    kernel: int = Field(9, ge=1, le=15, description="side of both convolutions' kernels")
    routings: int = Field(3, ge=1, le=10, description="iterations of the routing")


def check(params, task):
    """Both convolutions need room."""
    needed = 2 * params.kernel - 1
    if min(task.image_shape[1:]) < needed:
        return f'capsules need {needed} × {needed} pixels; put {{ name = "resize", size = 28 }} into its transforms'
    return None


def build(params, task):
    """A convolution, primary capsules, and a capsule of 16 values for each class, whose length is its score."""
    import torch
    from torch import nn
    from torch.nn import functional

    channels, *sides = task.image_shape
    places = 1
    for side in sides:
        places *= (side - 2 * (params.kernel - 1) - 1) // 2 + 1

    def length(vectors):
        return (vectors.square().sum(-1) + 1e-8).sqrt()

    def squash(vectors):
        """The same direction, and a length below 1."""
        norm = length(vectors)[..., None]
        return vectors * norm / (1 + norm.square())

    class CapsNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(channels, params.width, params.kernel)
            self.primary = nn.Conv2d(params.width, 8 * params.types, params.kernel, stride=2)
            # An entry for each primary capsule i and class j: what capsule i of 8 values predicts of j's 16.
            self.weight = nn.Parameter(0.1 * torch.randn(params.types * places, task.n_classes, 8, 16))

        def forward(self, images):
            maps = self.primary(functional.relu(self.convolution(images)))
            primary = squash(maps.reshape(len(images), params.types, 8, -1).transpose(2, 3).flatten(1, 2))
            votes = torch.einsum("nia,ijab->nijb", primary, self.weight)
            return length(self.route(votes))

        def route(self, votes):
            """Routing by agreement: a capsule sends its vote where the other votes point, too."""
            fixed = votes.detach()  # the paper's gradient passes through the last iteration only
            agreement = votes.new_zeros(votes.shape[:3])
            for _ in range(params.routings - 1):
                classes = squash((agreement.softmax(2)[..., None] * fixed).sum(1))
                agreement = agreement + torch.einsum("nijb,njb->nij", fixed, classes)
            return squash((agreement.softmax(2)[..., None] * votes).sum(1))

        def training_loss(self, images, labels):
            """The margin loss: the right class's capsule longer than 0.9, the others' shorter than 0.1."""
            lengths, right = self(images), functional.one_hot(labels, task.n_classes)
            present, absent = (0.9 - lengths).relu().square(), (lengths - 0.1).relu().square()
            return (right * present + 0.5 * (1 - right) * absent).sum(1).mean()

    return CapsNet()


@hookimpl
def arena_models():
    """One model; lengths are no logits."""
    summary = "capsules with dynamic routing and margin loss (Sabour et al. 2017)"
    return [ModelDef("capsules", summary, params=CapsulesParams, build=build, check=check, output="scores")]
