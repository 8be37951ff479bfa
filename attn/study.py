"""Windows that nobody has learnt from, continued by every contender; errors in the units of the table.

The contenders are a run as it is (zero-shot), trained on from its weights (fine-tuned), the same model
trained anew in as many steps (from scratch), an exact Gaussian process with fitted hyper-parameters, and two
rules of thumb.  All learn from the same windows, the first four fifths, and are scored on the last fifth.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from attn.arrange import forecast
from attn.contenders import Forecast, last_value, of_model, of_process, of_rule, rms_error, shifted_a
from attn.fitting import STARTS, Fit, fit_best
from attn.holdout import num_training
from attn.models import PairModel
from attn.runs import Run
from attn.tables import Table
from attn.train import Progress, TrainConfig, train
from attn.types import Batch, Floats, Prediction

FINE_TUNED, ZERO_SHOT, SCRATCH = "fine-tuned", "zero-shot", "from scratch"
FITTED, SHIFTED, LAST = "fitted exact GP", "A, shifted to B", "last value of B"
CONTENDERS = (FINE_TUNED, ZERO_SHOT, SCRATCH, FITTED, SHIFTED, LAST)
_NUM_RESAMPLES = 4000

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class StudyConfig:
    """What is asked, and how long the networks learn.

    target_series, num_context   which series is continued, from how many of its first points
    num_steps                    steps of either training
    num_samples                  trajectories of a window
    """

    target_series: int = 1
    num_context: int = 13
    num_steps: int = 400
    num_samples: int = 50
    seed: int = 0

    @property
    def num_reports(self) -> int:
        """How often `on_step` of `study` is called."""
        return 2 * self.num_steps + len(STARTS) + len(CONTENDERS)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval over held-out windows."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How one contender did, in the units of the table; NLL in nats a target.

    rmse_more, nll_more   by how much it exceeds the fine-tuned run on the same windows; None for that itself
    """

    rmse: Interval
    nll: Interval
    rmse_more: Interval | None
    nll_more: Interval | None


@dataclass(frozen=True, eq=False)
class Study:
    """What came out.

    held_out    the windows that were scored, a Table of its own; `batch` holds them in forecast order
    forecasts   in units of the table, by contender, as are the values of `batch`
    """

    run: str
    config: StudyConfig
    num_trained_on: int
    held_out: Table
    batch: Batch
    forecasts: dict[str, Forecast]
    standings: dict[str, Standing]
    fit: Fit

    def squared_errors(self, contender: str) -> Floats:
        """The mean squared error of every window [B]."""
        return _window_mean(self.batch, (self.batch.y - self.forecasts[contender].free.mean) ** 2)


def study(run: Run, table: Table, config: StudyConfig, on_step: OnStep = lambda step: None) -> Study:
    """Train, fit, continue, score.  `on_step` is told what was just done, `config.num_reports` times.

    Raises ValueError where the table has fewer than two windows or a window too few points of B.
    """
    first = num_training(table.pairs.num_pairs)
    learnt, held_out = table.rows(slice(first)), table.rows(slice(first, None))
    rng = np.random.default_rng([config.seed, 0])
    seen, asked = (
        forecast(part.pairs, config.num_context, rng, target_series=config.target_series)
        for part in (learnt, held_out)
    )
    fitted = fit_best(learnt.pairs, on_fit=lambda fit: on_step(f"fitting the {fit.process.kernel} process"))
    models = {ZERO_SHOT: run.model} | _trained(run, table, config, on_step)
    forecasts = {
        name: of_model(model, asked, config.num_samples, np.random.default_rng([config.seed, 1]))
        for name, model in models.items()
    }
    forecasts[FITTED] = of_process(fitted, asked)
    for name, rule in ((SHIFTED, shifted_a), (LAST, last_value)):
        forecasts[name] = of_rule(rule(asked), rms_error(rule(seen), seen), asked)
    in_units = {}
    for name in CONTENDERS:
        parts = (forecasts[name].free, forecasts[name].forced)
        in_units[name] = Forecast(*(_in_units(table, part) for part in parts))
        on_step(f"scoring {name}")
    batch = replace(asked, x=held_out.to_x(asked.x), y=table.to_y(asked.y))
    standings = _standings(batch, in_units, np.random.default_rng([config.seed, 2]))
    return Study(run.name, config, first, held_out, batch, in_units, standings, fitted)


def _trained(run: Run, table: Table, config: StudyConfig, on_step: OnStep) -> dict[str, PairModel]:
    """The fine-tuned model and that from scratch, by the run's own recipe in `num_steps`; no run is kept."""
    plan = replace(
        TrainConfig(**run.spec["training"]),
        num_context=config.num_context,
        num_epochs=1,
        steps_per_epoch=config.num_steps,
        warmup_steps=config.num_steps // 10,
        seed=config.seed,
        overfit=False,
    )
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, start_from in ((FINE_TUNED, run.directory), (SCRATCH, None)):

            def report(progress: Progress, name: str = name) -> None:
                on_step(f"training {name}")

            models[name] = train(
                Path(folder) / name.replace(" ", "-"),
                run.model.config,
                plan,
                table.pairs,
                start_from=start_from,
                on_progress=report,
            ).model
    return models


def _in_units(table: Table, prediction: Prediction) -> Prediction:
    return Prediction(table.to_y(prediction.mean), table.to_scale(prediction.scale))


def _standings(batch: Batch, forecasts: dict[str, Forecast], rng: np.random.Generator) -> dict[str, Standing]:
    """Every resample draws the same windows for all contenders, so that differences are paired."""
    num_windows = batch.num_pairs
    resamples = rng.multinomial(num_windows, np.full(num_windows, 1 / num_windows), _NUM_RESAMPLES)
    weights = np.concatenate([np.ones((1, num_windows)), resamples]) * batch.is_target.sum(axis=1)  # [1+R,B]
    weights /= weights.sum(axis=1, keepdims=True)
    rmse, nll = {}, {}
    for name, answer in forecasts.items():
        rmse[name] = np.sqrt(weights @ _window_mean(batch, (batch.y - answer.free.mean) ** 2))
        nll[name] = weights @ _window_mean(batch, _nll(batch.y, answer.forced))
    return {
        name: Standing(
            _interval(rmse[name]),
            _interval(nll[name]),
            None if name == FINE_TUNED else _interval(rmse[name] - rmse[FINE_TUNED]),
            None if name == FINE_TUNED else _interval(nll[name] - nll[FINE_TUNED]),
        )
        for name in forecasts
    }


def _nll(y: Floats, prediction: Prediction) -> Floats:
    z = (y - prediction.mean) / prediction.scale
    return 0.5 * z**2 + np.log(prediction.scale) + 0.5 * np.log(2 * np.pi)


def _window_mean(batch: Batch, values: Floats) -> Floats:
    """The mean of values [B,L] over the targets of each window [B]."""
    return np.where(batch.is_target, values, 0.0).sum(axis=1) / batch.is_target.sum(axis=1)


def _interval(values: Floats) -> Interval:
    """The figure itself comes first, then those of the resamples."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))
