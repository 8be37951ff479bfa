"""An inference: arrange, predict, continue, compare with the exact GP, in the data's units."""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from attn.arrange import forecast
from attn.commands.source import Source
from attn.models.base import PairModel
from attn.plots import Inference
from attn.rollout import attention, moments, rollout, teacher_force
from attn.scores import Scores, score
from attn.tables import Table
from attn.types import Attention, Batch, Floats, Prediction, Rollout


@dataclass(frozen=True)
class Setting:
    """What is continued, from what, and how; see `attn.arrange.forecast` and `attn.rollout.rollout`.

    num_steps   points to predict; None = all that there are
    """

    target_series: int | None
    num_context: int
    consecutive: bool
    is_sorted: bool
    num_steps: int | None
    num_samples: int
    feed: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What an inference gave, in units of the data.

    inference   what the plots show
    scores      by path: teacher forcing and free running, of the model and of the exact GP where it is known
    titles [B]  what each pair is called
    asked       the batch as the model saw it, in its own units, cut to the steps that were asked for
    written     the trajectories in the model's units
    """

    inference: Inference
    scores: dict[str, Scores]
    titles: tuple[str, ...]
    asked: Batch
    written: Rollout


def answer(model: PairModel, source: Source, setting: Setting, seed: int) -> Answers:
    """Run the inference; `seed` decides order and samples.  Raises ValueError for an impossible setting."""
    rng = np.random.default_rng([seed, 1])
    batch = forecast(
        source.pairs,
        setting.num_context,
        rng,
        target_series=setting.target_series,
        consecutive=setting.consecutive,
        is_sorted=setting.is_sorted,
    )
    asked = _cut(batch, setting.num_steps)
    forced = teacher_force(model, asked)
    written = rollout(model, asked, setting.num_samples, rng, setting.feed)
    _require_finite(asked, forced, written)
    units = _Units(source.table)
    process = source.process
    by_path = {"teacher forcing": forced, "free running": moments(written)}
    if process is not None:
        by_path |= {
            "exact GP, teacher forcing": process.posterior(asked),
            "exact GP, free running": process.forecast(asked),
        }
    in_units = {path: units.prediction(prediction) for path, prediction in by_path.items()}
    scores = {
        path: score(units.batch(asked), prediction, is_density="forcing" in path)
        for path, prediction in in_units.items()
    }
    table = source.table
    inference = Inference(units.batch(batch), units.rollout(written), in_units.get("exact GP, free running"))
    titles = tuple(f"pair {row}" for row in range(batch.num_pairs))
    if table is not None:
        inference = replace(
            inference, series_names=table.series_names, x_name=table.x_name, y_name=table.y_name
        )
        titles = tuple(f"window from {label}" for label in table.window_labels)
    return Answers(inference, scores, titles, asked, written)


def _require_finite(asked: Batch, forced: Prediction, written: Rollout) -> None:
    """A model computes in float32: beyond 1e38, and in squares beyond 1e19, there are no numbers."""
    values = np.stack([forced.mean, forced.scale, *(a.sum(axis=0) for a in (written.samples, written.scale))])
    bad = (asked.is_target & ~np.isfinite(values).all(axis=0)).any(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        x, y = (np.abs(values[row][asked.valid[row]]).max() for values in (asked.x, asked.y))
        raise ValueError(
            f"every prediction must be finite; those of pair {row} are not: its x reaches {x:g}, its y {y:g}"
        )


def attention_of_first(model: PairModel, answers: Answers) -> Attention:
    """What the first trajectory of the first pair looked at: the parallel pass over what it wrote."""
    first = answers.asked.rows(slice(1))
    y = np.where(first.is_target, answers.written.samples[0, :1], first.y)
    return attention(model, replace(first, y=y))


def predictions_csv(answers: Answers) -> str:
    """One row a target: pair, window, series, x, y, mean, scale and 5 and 95 % of the samples, exact GP."""
    inference = answers.inference
    num_columns = inference.rollout.samples.shape[2]
    batch = inference.batch.first(num_columns)
    row, column = np.nonzero(batch.is_target & answers.asked.is_target)
    samples = inference.rollout.samples[:, row, column]
    means = moments(inference.rollout)
    columns = {
        "pair": row,
        "name": np.array(answers.titles)[row],
        "series": np.array(inference.series_names)[batch.series[row, column]],
        "x": batch.x[row, column],
        "y": batch.y[row, column],
        "mean": means.mean[row, column],
        "scale": means.scale[row, column],
        "sample_5": np.quantile(samples, 0.05, axis=0),
        "sample_95": np.quantile(samples, 0.95, axis=0),
    }
    if inference.exact is not None:
        columns["exact_mean"] = inference.exact.mean[row, column]
        columns["exact_scale"] = inference.exact.scale[row, column]
    return pd.DataFrame(columns).to_csv(index=False)


def metrics_json(answers: Answers, run: str) -> str:
    """The scores by path, and what they were measured on."""
    inference = answers.inference
    content = {
        "run": run,
        "num_pairs": inference.batch.num_pairs,
        "num_targets": int(answers.asked.is_target.sum()),
        "series": inference.series_names,
        "x": inference.x_name,
        "y": inference.y_name,
        "scores": {path: asdict(scores) for path, scores in answers.scores.items()},
    }
    return json.dumps(content, indent=1)


def scores_frame(answers: Answers) -> pd.DataFrame:
    """One row a path: MSE, R^2 over all targets and of each series that has some, NLL a target."""
    rows = {}
    for path, scores in answers.scores.items():
        by_series = zip(answers.inference.series_names, scores.r2_by_series, strict=True)
        rows[path] = {"MSE": scores.mse, "R^2": scores.r2}
        rows[path] |= {f"R^2 of {name}": r2 for name, r2 in by_series if r2 is not None}
        rows[path] |= {"NLL a target": scores.nll}
    return pd.DataFrame.from_dict(rows, orient="index").astype(float)


def _cut(batch: Batch, num_steps: int | None) -> Batch:
    """The batch without the targets beyond `num_steps`."""
    if num_steps is None:
        return batch
    position = np.arange(batch.num_points)
    is_asked = position < batch.num_context[:, None] + num_steps
    cut = replace(batch, valid=batch.valid & is_asked)
    return cut.first(min(batch.num_points, int(batch.num_context.max()) + num_steps))


@dataclass(frozen=True, eq=False)
class _Units:
    """From the model's units to those of the table; the same where there is no table."""

    table: Table | None

    def batch(self, batch: Batch) -> Batch:
        return replace(batch, x=self._x(batch.x), y=self._y(batch.y))

    def prediction(self, prediction: Prediction) -> Prediction:
        return Prediction(self._y(prediction.mean), self._scale(prediction.scale))

    def rollout(self, rollout: Rollout) -> Rollout:
        return Rollout(self._y(rollout.samples), self._y(rollout.mean), self._scale(rollout.scale))

    def _x(self, x: Floats) -> Floats:
        return x if self.table is None else self.table.to_x(x)

    def _y(self, y: Floats) -> Floats:
        return y if self.table is None else self.table.to_y(y)

    def _scale(self, scale: Floats) -> Floats:
        return scale if self.table is None else self.table.to_scale(scale)
