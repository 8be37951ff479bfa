"""A PyTorch transformer, and the adapter that lets it be diagnosed; needs the package torch.

As in keras_decoder.py a token asks for one point and holds the newest point before it.  It offers a loss and
a round through its files as well.  Nothing was trained: the contracts hold all the same, and what the battery
finds is what an ignorant model gets wrong (torch_transformer.json).
"""

import io
from typing import Self

import numpy as np
import torch

from attn.processes import PairProcess
from attn.types import Batch, Floats, Ints, Prediction

NUM_HEADS, WIDTH = 4, 32


class Transformer(torch.nn.Module):
    """Tokens [B,L,6], may_see [B,L,L] -> mean and log scale [B,L,2]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(6, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, NUM_HEADS, 2 * WIDTH, batch_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(WIDTH, 2)

    def forward(self, tokens: torch.Tensor, may_see: torch.Tensor) -> torch.Tensor:
        """One pass; the mask of torch is True where a key is hidden, one for every row and head."""
        mask = ~may_see.tril().repeat_interleave(NUM_HEADS, dim=0)
        return self.head(self.layers(self.embed(tokens), mask=mask))


class TorchTransformer:
    """The adapter."""

    def __init__(self, model: Transformer) -> None:
        self.model, self.process, self.name = model.eval(), PairProcess(num_points=16), "torch transformer"

    def teacher_force(self, batch: Batch) -> Prediction:
        """All targets in one pass."""
        held = np.maximum.accumulate(np.where(batch.valid, np.arange(batch.num_points), -1), axis=1)
        held = np.pad(held, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]  # -1: there is no point before
        x, y = np.where(batch.valid, ((batch.x - 10.0) / 5.0, batch.y), 0.0)
        points = np.stack([x, batch.series, y, np.ones(x.shape)], axis=-1)
        held_points = np.take_along_axis(points, held[..., None], axis=1) * (held >= 0)[..., None]
        tokens = torch.tensor(np.concatenate([points[..., :2], held_points], axis=-1), dtype=torch.float32)
        may_see = torch.tensor(batch.valid[:, None] | np.eye(batch.num_points, dtype=bool))
        with torch.no_grad():
            mean, log_scale = self.model(tokens, may_see).numpy().astype(float).transpose(2, 0, 1)
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(mean + nan, np.exp(log_scale) + nan)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The last position of a pass over the history and the new point, whose y is not known."""
        x, series = np.column_stack([history.x, x_next]), np.column_stack([history.series, series_next])
        y = np.column_stack([history.y, np.zeros(len(x))])
        valid = np.column_stack([history.valid, np.ones(len(x), bool)])
        whole = self.teacher_force(Batch(x, series, y, valid, history.num_context))
        return Prediction(whole.mean[:, -1:], whole.scale[:, -1:])

    def loss(self, batch: Batch) -> float:
        """Nats a target, less a constant."""
        prediction = self.teacher_force(batch)
        z = (batch.y - prediction.mean) / prediction.scale
        return float(np.nanmean(0.5 * z**2 + np.log(prediction.scale)))

    def reload(self) -> Self:
        """Through the bytes of a state_dict."""
        file, restored = io.BytesIO(), Transformer()
        torch.save(self.model.state_dict(), file)
        file.seek(0)
        restored.load_state_dict(torch.load(file, weights_only=True))
        return type(self)(restored)


def make(seed: int = 0) -> TorchTransformer:
    """A transformer with the weights that the seed gives it."""
    torch.manual_seed(seed)
    return TorchTransformer(Transformer())
