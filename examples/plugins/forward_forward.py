"""The Forward-Forward algorithm (Hinton 2022): each layer has its own loss, and no gradient passes between layers."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class ForwardForwardParams(Params):
    """Parameters of a supervised Forward-Forward network."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        [400, 400], min_length=1, max_length=8, description="units of each layer"
    )
    threshold: float = Field(2.0, gt=0, description="goodness above which a layer takes an image's label for right")
    lr: float = Field(0.003, gt=0, description="learning rate of each layer's Adam")


def build(params, task):
    """Layers that see an image together with a label, and are to be excited where the label is right."""
    import torch
    from torch import nn
    from torch.nn import functional

    channels, height, width = task.image_shape

    def goodness(activity):
        return activity.square().mean(1)

    def activities(layers, images, labels):
        """What each layer makes of images with a label beside them; of the layer before, only the direction is seen."""
        pixels = images.flatten(1)
        label = functional.one_hot(labels, task.n_classes) * pixels.abs().amax(1, keepdim=True)
        inputs = torch.cat([pixels, label], 1)
        for layer in layers:
            inputs = inputs.detach() / (inputs.detach().square().mean(1, keepdim=True).sqrt() + 1e-4)
            inputs = functional.relu(layer(inputs))
            yield inputs

    class ForwardForward(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [channels * height * width + task.n_classes, *params.hidden]
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

        def forward(self, images):
            """Scores `(N, n_classes)`: the goodness of all layers together, of each label in turn."""
            scores = []
            for label in range(task.n_classes):
                labels = torch.full((len(images),), label, device=images.device)
                scores.append(sum(goodness(activity) for activity in activities(self.layers, images, labels)))
            return torch.stack(scores, 1)

        def fit(self, training):
            optimizers = [torch.optim.Adam(layer.parameters(), lr=params.lr) for layer in self.layers]
            first = 0
            if (state := training.resume()) is not None:
                first = state["epoch"]
                for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
                    optimizer.load_state_dict(kept)
            for epoch in range(first, training.epochs):
                for images, labels in training.batches(epoch):
                    others = torch.randint(1, task.n_classes, labels.shape, device=labels.device)
                    wrong = (labels + others) % task.n_classes
                    both = zip(
                        activities(self.layers, images, labels), activities(self.layers, images, wrong), strict=True
                    )
                    total = 0.0
                    for optimizer, (positive, negative) in zip(optimizers, both, strict=True):
                        margins = params.threshold - goodness(positive), goodness(negative) - params.threshold
                        loss = functional.softplus(torch.cat(margins)).mean()
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                        total = total + loss.detach()
                    training.step(total)
                training.validate()
                kept = [optimizer.state_dict() for optimizer in optimizers]
                training.checkpoint({"optimizers": kept, "epoch": epoch + 1})

    return ForwardForward()


@hookimpl
def arena_models():
    """One model; goodness is no probability."""
    summary = "layers that learn by themselves from right and wrong labels (Hinton 2022)"
    uses = ("epochs", "batch_size")
    return [ModelDef("forward-forward", summary, params=ForwardForwardParams, build=build, output="scores", uses=uses)]
