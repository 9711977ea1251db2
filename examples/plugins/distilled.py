"""Knowledge distillation (Hinton et al. 2015): a small network learns from the answers of a larger one.

That is a model of a finished run, as in params = { teacher = "runs/full/cnn" }; else it is trained here, before.
"""

from pydantic import Field

from mnistarena import ModelDef, hookimpl
from mnistarena.pretrained import TeacherParams, prepare_teacher


class DistilledParams(TeacherParams):
    """Parameters of teacher, student and what passes between them."""

    maps: int = Field(32, ge=1, le=512, description="feature maps of the first convolution of a teacher trained here")
    hidden: int = Field(64, ge=1, le=8192, description="hidden units of the student, which has no convolution")
    teacher_epochs: int = Field(3, ge=1, description="passes for a teacher trained here, before those of the student")
    temperature: float = Field(4.0, gt=0, description="by which logits are divided before they are compared")
    share: float = Field(
        0.7, ge=0, le=1, description="of the teacher's answers in the student's loss; the rest: labels"
    )
    lr: float = Field(0.002, gt=0, description="learning rate of both")


def build(params, task):
    """The student. A teacher trained here lives in `fit` only: it is neither stored nor counted."""
    import torch
    from torch import nn
    from torch.nn import functional

    channels, height, width = task.image_shape

    def teacher():
        maps = params.maps
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
            own = None if params.teacher else teacher().to(training.device)
            elder = training.teacher(params) if own is None else own
            learners = [self] if own is None else [self, own]
            optimizers = [torch.optim.Adam(net.parameters(), lr=params.lr) for net in learners]
            before = 0 if own is None else params.teacher_epochs
            first = 0
            if (state := training.resume()) is not None:
                first = state["epoch"]
                if own is not None:
                    own.load_state_dict(state["teacher"])
                for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
                    optimizer.load_state_dict(kept)
            for epoch in range(first, before + training.epochs):
                teaching = epoch < before  # it learns itself first
                for images, labels in training.batches(epoch):
                    with torch.set_grad_enabled(teaching):
                        answers = elder(images)
                    loss = functional.cross_entropy(answers, labels) if teaching else self.loss(images, labels, answers)
                    optimizer = optimizers[1 if teaching else 0]
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    training.step(loss)
                training.validate()
                kept = [optimizer.state_dict() for optimizer in optimizers]
                state = None if own is None else own.state_dict()
                training.checkpoint({"teacher": state, "optimizers": kept, "epoch": epoch + 1})

    return Student()


@hookimpl
def arena_models():
    """One model."""
    summary = "a small network taught by a convolutional one (Hinton et al. 2015)"
    used = ("epochs", "batch_size")
    return [ModelDef("distilled", summary, params=DistilledParams, build=build, prepare=prepare_teacher, uses=used)]
