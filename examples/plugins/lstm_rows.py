"""An LSTM (Hochreiter and Schmidhuber 1997) that reads an image row by row, as in Le et al. 2015."""

from pydantic import Field

from mnistarena import ModelDef, Params, hookimpl


class LstmParams(Params):
    """Parameters of an LSTM over rows."""

    hidden: int = Field(96, ge=1, le=4096, description="units of each direction")
    layers: int = Field(1, ge=1, le=8, description="LSTMs on top of each other")
    bidirectional: bool = Field(False, description="whether another one reads from the last row to the first")


def build(params, task):
    """A sequence of rows, and a linear layer on the last state."""
    import torch
    from torch import nn

    channels, _, width = task.image_shape

    class RowsLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(
                channels * width,
                params.hidden,
                params.layers,
                batch_first=True,
                bidirectional=params.bidirectional,
            )
            directions = 2 if params.bidirectional else 1
            self.head = nn.Linear(directions * params.hidden, task.n_classes)

        def forward(self, images):
            rows = images.transpose(1, 2).flatten(2)  # (N, C, H, W) to (N, H, C·W)
            _, (last, _) = self.lstm(rows)
            directions = 2 if params.bidirectional else 1
            return self.head(torch.cat(tuple(last[-directions:]), 1))

    return RowsLSTM()


@hookimpl
def arena_models():
    """One model."""
    summary = "an LSTM that reads an image row by row (Le et al. 2015)"
    return [ModelDef("lstm-rows", summary, params=LstmParams, build=build)]
