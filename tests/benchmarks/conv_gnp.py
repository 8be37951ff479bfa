"""The ConvGNP of the package neuralprocesses with one output a series, used autoregressively (torch).

Every pass predicts all targets from the context alone, each series as an output of its own; one target after
the other is then a pass each, over a longer context (Bruinsma et al. 2023, "Autoregressive conditional neural
processes").
"""

import lab.torch  # noqa: F401  (registers torch with the package)
import neuralprocesses.torch as nps
import numpy as np
import torch

from attn.types import Batch, Bools, Ints, Prediction

LEARNING_RATE, CLIP_NORM = 1e-3, 1.0
POINTS_PER_UNIT = 16
ROWS = 128


class ConvGNP:
    """A learner, see `contenders.py`."""

    def __init__(self, num_steps: int, channels: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        self.model = nps.construct_convgnp(
            dim_x=1,
            dim_yc=(1, 1),
            dim_yt=2,
            likelihood="het",
            points_per_unit=POINTS_PER_UNIT,
            unet_channels=channels,
        )
        one = torch.zeros(1, 1, 1)
        self.model([(one, one), (one, one)], one)  # makes the parameters
        self.optimizer = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, num_steps)

    def step(self, batch: Batch) -> None:
        """One step of Adam on the mean negative log density of a target."""
        mean, variance = self._normal(batch, batch.is_context, np.arange(batch.num_points)[None])
        error = (torch.tensor(batch.y, dtype=torch.float32) - mean) ** 2 / variance
        nll = 0.5 * (error + torch.log(2 * torch.pi * variance))
        loss = nll[torch.tensor(batch.is_target)].mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.schedule.step()

    def predict(self, batch: Batch) -> Prediction:
        """Every target given all points before it, one pass a column."""
        starts = range(0, batch.num_pairs, ROWS)
        parts = [self._predict(batch.rows(slice(start, start + ROWS))) for start in starts]
        return Prediction(
            *(np.concatenate([getattr(p, field) for p in parts]) for field in ("mean", "scale"))
        )

    def _predict(self, batch: Batch) -> Prediction:
        mean, scale = np.full((2, *batch.x.shape), np.nan)
        for t in range(int(batch.num_context.min()), batch.num_points):
            before = batch.valid & (np.arange(batch.num_points) < t)
            with torch.no_grad():
                normal = self._normal(batch, before, np.full((1, 1), t))
            mean[:, t], variance = (part[:, 0].numpy() for part in normal)
            scale[:, t] = np.sqrt(variance)
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(mean + nan, scale + nan)

    def _normal(self, batch: Batch, is_seen: Bools, columns: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance [B,Q] of the points at `columns` [1,Q], given the points that are seen [B,L]."""
        x, y = (torch.tensor(part[:, None], dtype=torch.float32) for part in (batch.x, batch.y))
        seen = [torch.tensor((is_seen & (batch.series == s))[:, None], dtype=torch.float32) for s in (0, 1)]
        context = [(x, nps.Masked(y * mask, mask)) for mask in seen]
        asked = torch.tensor(np.take_along_axis(batch.x, columns, axis=1)[:, None], dtype=torch.float32)
        outputs = self.model(context, asked)  # [B,2,Q]
        series = torch.tensor(np.take_along_axis(batch.series, columns, axis=1)[:, None])
        mean, variance = (part.gather(1, series)[:, 0] for part in (outputs.mean, outputs.var))
        return mean, variance
