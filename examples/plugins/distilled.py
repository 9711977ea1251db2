"""Knowledge distillation (Hinton et al. 2015): a small network learns from the answers of a larger one."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class DistilledParams(Params):
    """Parameters of teacher, student and what passes between them."""

    teacher: int = Field(32, ge=1, le=512, description="feature maps of the teacher's first convolution")
    hidden: int = Field(64, ge=1, le=8192, description="hidden units of the student, which has no convolution")
    teacher_epochs: int = Field(3, ge=1, description="passes for the teacher, before those of the student")
    temperature: float = Field(4.0, gt=0, description="by which logits are divided before they are compared")
    share: float = Field(
        0.7, ge=0, le=1, description="of the teacher's answers in the student's loss; the rest: labels"
    )
    lr: float = Field(0.002, gt=0, description="learning rate of both")


def build(params, task):
    """The student. Its teacher lives in `fit` only: it is neither stored nor counted."""
    import torch
    from torch import nn
    from torch.nn import functional

    channels, height, width = task.image_shape

    def teacher():
        maps = params.teacher
        return nn.Sequential(
            nn.Conv2d(channels, maps, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(maps, 2 * maps, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * maps, task.n_classes),
        )

    class Student(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Flatten(),
                nn.Linear(channels * height * width, params.hidden),
                nn.ReLU(),
                nn.Linear(params.hidden, task.n_classes),
            )

        def forward(self, images):
            return self.net(images)

        def loss(self, images, labels, answers):
            """The cross-entropy of the labels, and the divergence from the teacher's softened answers."""
            logits, hot = self(images), params.temperature
            soft = functional.kl_div(
                (logits / hot).log_softmax(1), (answers / hot).log_softmax(1), log_target=True, reduction="batchmean"
            )
            hard = functional.cross_entropy(logits, labels)
            return params.share * hot**2 * soft + (1 - params.share) * hard

        def fit(self, training):
            elder = teacher().to(training.device)
            optimizers = [torch.optim.Adam(net.parameters(), lr=params.lr) for net in (elder, self)]
            first = 0
            if (state := training.resume()) is not None:
                first = state["epoch"]
                elder.load_state_dict(state["teacher"])
                for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
                    optimizer.load_state_dict(kept)
            for epoch in range(first, params.teacher_epochs + training.epochs):
                teaching = epoch < params.teacher_epochs  # it learns itself first
                for images, labels in training.batches(epoch):
                    with torch.set_grad_enabled(teaching):
                        answers = elder(images)
                    loss = functional.cross_entropy(answers, labels) if teaching else self.loss(images, labels, answers)
                    optimizer = optimizers[0 if teaching else 1]
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    training.step(loss)
                training.validate()
                kept = [optimizer.state_dict() for optimizer in optimizers]
                training.checkpoint({"teacher": elder.state_dict(), "optimizers": kept, "epoch": epoch + 1})

    return Student()


@hookimpl
def arena_models():
    """One model."""
    summary = "a small network taught by a convolutional one (Hinton et al. 2015)"
    return [ModelDef("distilled", summary, params=DistilledParams, build=build, uses=("epochs", "batch_size"))]
