"""Data: are the pairs that a model learns from what their process says they are?"""

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats, Pairs
from diagnostics.ask import ask_training_batches
from diagnostics.check import Finding, Scenario, check
from diagnostics.judge import judge_interval
from diagnostics.measures import Statistic, by_target, mean_of, ratio_of
from diagnostics.subject import Subject

NO_PROCESS = "the pairs were given, so nothing is known of how they were drawn"
NUM_BATCHES = 8
NUM_REFERENCE_PAIRS = 256
# The mean square of thousands of standard normal values; a misplaced x or label makes it 10 and more.
HEALTHY_SQUARE = (0.8, 1.25)
HEALTHY_CORRELATION = (-0.2, 0.2)
# Within one series y varies by the kernel alone; between series the offsets come on top (four times as much
# in the shipped process).
HEALTHY_VARIANCE_RATIO = (0.7, 1.3)
# The first points of a row carry its offsets and its curve, the later ones little but their noise.
NUM_EARLY = 4


@check(family="data", suspects=("arrays_swapped", "x_before_sorting", "labels_not_sorted", "shared_noise"))
def pairs_follow_their_process(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Are the pairs draws of the process that they are said to come from?

    Each y is compared with the exact conditional of the process given the points before it: the mean
    of z^2 must be 1, and every x must lie in the range of the process.  Arrays that changed places (x for
    y, one file for another) cannot pass.

    Beside other checks: it says that the data are wrong, where drift and calibration would blame the model.
    """
    if scenario.process is None:
        return Finding("skipped", NO_PROCESS)
    process, x = scenario.process, scenario.pairs.x[scenario.pairs.valid]
    if x.min() < process.x_low or x.max() > process.x_high:
        return Finding(
            "failed",
            f"x runs from {x.min():.3g} to {x.max():.3g}, where the process draws it from"
            f" {process.x_low:g} to {process.x_high:g}: these are not its x",
            float(np.abs(x).max()),
            process.x_high,
        )
    return judge_interval(
        "the mean square of y about the conditional mean of the process, in its standard deviations,",
        mean_of(_surprise(process, scenario.pairs) ** 2).pooled(),
        HEALTHY_SQUARE,
        rng,
        passed="the pairs are what the process draws",
        failed="the pairs are not what the process draws",
    )


@check(family="data", suspects=("shared_draws",))
def pairs_are_independent(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is every pair a draw of its own?

    The first points of a row carry its offsets and the course of its curve.  Their surprises under the
    process, row by row, must not resemble those of the next row; they do where every row is made from the
    same normal numbers (a sampler with a fixed default seed).

    Beside other checks: it tells rows that repeat each other from rows that share their noise alone.
    """
    if scenario.process is None:
        return Finding("skipped", NO_PROCESS)
    return _judge_resemblance(
        "the correlation of the courses of neighbouring rows",
        _surprise(scenario.process, scenario.pairs)[:, :NUM_EARLY],
        rng,
        "rows repeat each other: the set holds far fewer different pairs than it seems",
    )


@check(family="data", suspects=("shared_noise", "shared_draws"))
def noise_is_independent(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the noise of every row its own?

    Once half of a row is known, what surprises in the other half is mostly noise.  These surprises, row
    by row, must not resemble those of the next row; they do where one vector of noise was drawn for all.
    """
    if scenario.process is None:
        return Finding("skipped", NO_PROCESS)
    surprise = _surprise(scenario.process, scenario.pairs)
    return _judge_resemblance(
        "the correlation of the noise of neighbouring rows",
        surprise[:, surprise.shape[1] // 2 :],
        rng,
        "one vector of noise serves several rows, so that a model can learn it by heart",
    )


@check(
    family="data",
    suspects=("x_before_sorting", "labels_not_sorted", "arrays_swapped"),
    needs=("training_batches", "process"),
)
def training_batches_follow_the_process(
    subject: Subject, scenario: Scenario, rng: np.random.Generator
) -> Finding:
    """Do x, label and y still belong together in the batches of the training?

    As for the pairs, after they were arranged: if x, labels and y were not moved by one permutation, y
    no longer fits the place that it is said to come from, and the mean of z^2 is far above 1.
    """
    process: PairProcess = subject.process  # type: ignore[attr-defined]
    batches = ask_training_batches(subject, NUM_BATCHES, rng)
    squares = [_mean_square_of_rows(_surprise(process, batch)) for batch in batches]
    return judge_interval(
        "the mean square of y about the conditional mean of the process, in training batches,",
        mean_of(np.concatenate(squares)),
        HEALTHY_SQUARE,
        rng,
        passed="x, label and y were moved together",
        failed="x, label and y of a point no longer belong together",
    )


@check(family="data", suspects=("labels_not_sorted",), needs=("training_batches", "process"))
def labels_belong_to_their_series(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Do the points of one label in a training batch make one series?

    The variance of y within a label is compared with that of fresh pairs of the process.  Labels that
    were left behind when the points were sorted mix the two levels, so that the variance is too large.

    Beside other checks: it tells labels that were left behind from x that was, which the other check of
    training batches cannot.
    """
    process: PairProcess = subject.process  # type: ignore[attr-defined]
    within = np.concatenate(
        [_variance_within_labels(b) for b in ask_training_batches(subject, NUM_BATCHES, rng)]
    )
    due = _variance_within_labels(process.sample(NUM_REFERENCE_PAIRS, rng)).mean()
    return judge_interval(
        "the variance of y within a label, as a multiple of what the process gives,",
        ratio_of(within[:, None], np.full((len(within), 1), due)),
        HEALTHY_VARIANCE_RATIO,
        rng,
        passed="labels belong to their points",
        failed="labels do not belong to their points: the two levels are mixed",
    )


def _surprise(process: PairProcess, points: Pairs | Batch) -> Floats:
    """(y - conditional mean) / conditional scale of all points but the first of each row [B,T]."""
    asked = Batch(points.x, points.series, points.y, points.valid, points.valid.argmax(axis=1) + 1)
    posterior = process.posterior(asked)
    return by_target(asked, (asked.y - posterior.mean) / posterior.scale)


def _mean_square_of_rows(surprise: Floats) -> Floats:
    """[B,T] -> [B,1]: batches of unequal length can then stand below each other."""
    return np.nanmean(surprise**2, axis=1, keepdims=True)


def _judge_resemblance(name: str, surprise: Floats, rng: np.random.Generator, failed: str) -> Finding:
    return judge_interval(
        name,
        _resemblance(surprise),
        HEALTHY_CORRELATION,
        rng,
        passed="no row repeats another",
        failed=failed,
    )


def _resemblance(surprise: Floats) -> Statistic:
    """Sum of products of each row with the next over the sum of squares [B,1]."""
    product = np.nansum(surprise * np.roll(surprise, 1, axis=0), axis=1, keepdims=True)
    return ratio_of(product, np.nansum(surprise**2, axis=1, keepdims=True))


def _variance_within_labels(points: Pairs | Batch) -> Floats:
    """Variance of y about the mean of its label [B], over the labels that have points."""
    square, count = np.zeros(points.num_pairs), np.zeros(points.num_pairs)
    for label in (0, 1):
        of_label = points.valid & (points.series == label)
        number = np.maximum(of_label.sum(axis=1), 1)
        mean = np.where(of_label, points.y, 0.0).sum(axis=1) / number
        square += np.where(of_label, (points.y - mean[:, None]) ** 2, 0.0).sum(axis=1)
        count += np.maximum(of_label.sum(axis=1) - 1, 0)
    return square / np.maximum(count, 1)
