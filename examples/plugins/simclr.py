"""SimCLR (Chen et al. 2020): features learnt from two views of each image, without labels; a linear head on them."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class SimclrParams(Params):
    """Parameters of SimCLR on a small convolutional encoder."""

    width: int = Field(32, ge=1, le=512, description="feature maps of the first convolution; the last has four times")
    projection: int = Field(64, ge=2, le=4096, description="values in which two views are compared")
    temperature: float = Field(0.2, gt=0, le=10, description="by which similarities are divided")
    lr: float = Field(0.002, gt=0, description="learning rate of Adam, for the features")
    decay: float = Field(0.0001, ge=0, description="penalty of the head's squared weights")
    head_steps: int = Field(200, ge=1, description="iterations of L-BFGS, at most, for the head")


def build(params, task):
    """An encoder, a projection that is used in training only, and a linear head."""
    import torch
    from torch import nn
    from torch.nn import functional

    def convolution(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    class SimCLR(nn.Module):
        def __init__(self):
            super().__init__()
            width, features = params.width, 4 * params.width
            blocks = [
                *convolution(task.image_shape[0], width),
                *convolution(width, 2 * width),
                *convolution(2 * width, features),
            ]
            self.encoder = nn.Sequential(
                *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * features, features)
            )
            self.projector = nn.Sequential(nn.ReLU(), nn.Linear(features, params.projection))
            self.head = nn.Linear(features, task.n_classes)

        def forward(self, images):
            return self.head(self.encoder(images))

        def contrast(self, one, two):
            """NT-Xent: of all images of the batch, each view has to find the other view of its image."""
            views = functional.normalize(self.projector(self.encoder(torch.cat([one, two]))))
            similar = (views @ views.T / params.temperature).fill_diagonal_(float("-inf"))
            return functional.cross_entropy(similar, torch.arange(len(views), device=views.device).roll(len(one)))

        def fit(self, training):
            optimizer = torch.optim.Adam([*self.encoder.parameters(), *self.projector.parameters()], lr=params.lr)
            first = 0
            if (state := training.resume()) is not None:
                optimizer.load_state_dict(state["optimizer"])
                first = state["epoch"]
            for epoch in range(first, training.epochs):
                for (one, two), _ in training.views(epoch, drop_last=True):
                    if one.equal(two):
                        training.note("both views of an image are the same: put a random transform into its transforms")
                    loss = self.contrast(one, two)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    training.step(loss)
                training.validate()
                training.checkpoint({"optimizer": optimizer.state_dict(), "epoch": epoch + 1})
            self.fit_head(training)

        def fit_head(self, training):
            """Second stage: a linear classifier of the features, which stay as they are."""
            self.eval()
            with torch.no_grad():
                batches = [(self.encoder(images), labels) for images, labels in training.in_order()]
            features, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
            optimizer = torch.optim.LBFGS(
                self.head.parameters(), max_iter=params.head_steps, line_search_fn="strong_wolfe"
            )

            def closure():
                optimizer.zero_grad()
                loss = functional.cross_entropy(self.head(features), labels)
                loss = loss + params.decay * self.head.weight.square().sum()
                loss.backward()
                return loss

            optimizer.step(closure)
            training.step(closure())
            training.validate()

    return SimCLR()


@hookimpl
def arena_models():
    """One model."""
    summary = "contrastive features of two views, then a linear head (Chen et al. 2020)"
    return [ModelDef("simclr", summary, params=SimclrParams, build=build, uses=("epochs", "batch_size"))]
