"""One held-out pair, continued anew whenever it is asked for: what training shows of inference."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from attn.arrange import forecast
from attn.attention_plots import plot_attention
from attn.models import PairModel
from attn.plots import Inference, inference_figure, new_figure, plain
from attn.processes import PairProcess
from attn.rollout import attention, rollout
from attn.types import Batch, Pairs, Prediction

NUM_SAMPLES = 8


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A pair in the order of inference.

    batch   the pair [1,L]
    exact   the exact GP given the context alone [1,L]; None where no process is known
    seed    of the samples: with the same noise every time, what changes is the model
    """

    batch: Batch
    exact: Prediction | None
    seed: int

    @classmethod
    def of(cls, test: Batch, num_context: int, process: PairProcess | None, seed: int) -> Self | None:
        """The first of the longest series among the pairs of `test` is continued, after its pair.

        num_context   observed points of that series; at most all but one are
        None where no series has the two points that it takes, one to observe and one to predict.
        """
        # series 1 first: of two series of the same length it is the one that is continued, as in inference
        count = np.stack([(test.valid & (test.series == s)).sum(axis=1) for s in (1, 0)], axis=1)  # [B,2]
        row, place = np.unravel_index(count.argmax(), count.shape)
        num_points = int(count[row, place])
        if num_points < 2:
            return None
        pair = test.rows(slice(row, row + 1))
        batch = forecast(
            Pairs(pair.x, pair.series, pair.y, pair.valid),
            min(num_context, num_points - 1),
            np.random.default_rng(seed),
            target_series=1 - int(place),
        )
        return cls(batch, None if process is None else process.forecast(batch), seed)

    def inference(self, model: PairModel) -> Inference:
        """Continue the pair by free running."""
        written = rollout(model, self.batch, NUM_SAMPLES, np.random.default_rng(self.seed))
        return Inference(self.batch, written, self.exact)

    def figures(self, model: PairModel, title: str) -> dict[str, Figure]:
        """By name: the inference plot, and what the first prediction after the boundary looked at."""
        inference = self.inference(model)
        boundary = int(self.batch.num_context[0])
        looked = attention(model, self.batch.first(boundary + 1))
        figure = new_figure(size=(10, 5.5))
        plot_attention(figure.axes[0], inference, looked, 0, boundary).set_title(
            plain(f"{title}, first prediction")
        )
        return {"inference": inference_figure(inference, 0, title), "boundary_attention": figure}
