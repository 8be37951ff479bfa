"""How near the shipped runs come to the exact GP, on 512 held-out pairs in the order of inference.

Nothing is asserted: a run that comes less near is reported so.
"""

from dataclasses import replace

import numpy as np
import pytest

from attn.rollout import teacher_force
from attn.runs import find_run, load_run
from diagnostics import measures
from tests.benchmarks import quality
from tests.benchmarks.ledger import Ratio
from tests.benchmarks.quality import Held

NUM_PAIRS = 512
# Coverage is a share of correlated events: of 512 pairs it would be known to 2 points at best.
NUM_PAIRS_FOR_COVERAGE = 4096
SEED = 0
FIRST, LATER = slice(0, 1), slice(10, None)


@pytest.fixture
def corrected():
    return load_run(find_run("corrected"))


@pytest.fixture
def judge(record):
    """Write a statistic beside its target: itself, or how far it is from its nominal value."""

    def note(name, statistic, target, unit="", note="", nominal=None, factor=1):
        interval = statistic.interval(np.random.default_rng(SEED))
        value, low, high = (float(part[0]) for part in (interval.value, interval.low, interval.high))
        if nominal is not None:
            is_inside = low < nominal < high
            value, *ends = (factor * abs(part - nominal) for part in (value, low, high))
            low, high = (0.0 if is_inside else min(ends)), max(ends)
        record(Ratio(name, value, target, "lower", unit, note, (low, high)))

    return note


def held_out(process, is_smallest, num_pairs=NUM_PAIRS):
    if is_smallest:
        process, num_pairs = replace(process, num_points=13), 4
    return Held.out(process, num_pairs, SEED)


@pytest.mark.parametrize(
    ("run", "target"), [("corrected", 0.03), ("corrected-rbf", 0.08), ("corrected-periodic", 0.08)]
)
def test_gap(run, target, benchmark, judge, is_smallest):
    loaded = load_run(find_run(run))
    held = held_out(loaded.process, is_smallest)
    prediction = benchmark.pedantic(teacher_force, args=(loaded.model, held.batch), rounds=1)
    gap = quality.gap(prediction, held)
    seconds = sum(epoch["seconds"] for epoch in loaded.history)
    note = f"trained for {seconds / 60:.0f} minutes"
    judge(f"{run}: NLL a target above the exact GP", gap, target, unit="nats", note=note)


@pytest.mark.parametrize("num_points", [25, 100])
def test_gap_beyond_the_size_of_training(num_points, corrected, benchmark, judge, is_smallest):
    held = held_out(replace(corrected.process, num_points=num_points), is_smallest)
    prediction = benchmark.pedantic(teacher_force, args=(corrected.model, held.batch), rounds=1)
    name = f"corrected: the same at {num_points} points a series"
    judge(name, quality.gap(prediction, held), 0.15, unit="nats")


def test_boundary(corrected, benchmark, judge, is_smallest):
    held, model = held_out(corrected.process, is_smallest), corrected.model
    drift = benchmark.pedantic(quality.drift, args=(model, held), rounds=1)
    for statistic, name in ((drift, ""), (quality.drift(model, quality.swapped(held)), ", A and B swapped")):
        first, later = statistic.pooled(FIRST), statistic.pooled(LATER)
        judge(f"corrected: size of the drift fraction at the first target{name}", first, 0.005, nominal=0)
        judge(f"corrected: size of the drift fraction from target 11 on{name}", later, 0.005, nominal=0)
    first_mean = quality.first_mean(model, held)
    judge("corrected: RMS error of the first mean", first_mean, 0.2, unit="exact scales")


def test_invariance(corrected, benchmark, judge, record, is_smallest):
    held = held_out(corrected.process, is_smallest)
    order = benchmark.pedantic(quality.order, args=(corrected.model, held), rounds=1)
    judge("corrected: NLL in random order less that in order of x, size", order, 0.03, "nats", nominal=0)
    name = "corrected: means after adding c to every y, largest departure from c"
    worst = quality.shift(corrected.model, held)
    record(Ratio(name, worst, 1e-2, "lower", "exact scales", "c of -10 to 10 standard deviations of y"))


def test_free_running(corrected, benchmark, judge, is_smallest):
    held = held_out(corrected.process, is_smallest)
    crps = benchmark.pedantic(quality.crps, args=(corrected.model, held), rounds=1)
    judge("corrected: CRPS of free running over the exact GP's, all targets", crps.pooled(), 1.05)
    worst = int(np.nanargmax(crps.value()))
    at_worst = crps.pooled(slice(worst, worst + 1))
    judge(f"corrected: the same at the worst of all targets, number {worst + 1}", at_worst, 1.05)
    steps = quality.increments(corrected.model, held).pooled()
    name = "corrected: variance of the steps of sampled paths over the exact GP's, distance from 1"
    judge(name, steps, 0.1, nominal=1)


def test_coverage(corrected, benchmark, judge, is_smallest):
    held = held_out(corrected.process, is_smallest, NUM_PAIRS_FOR_COVERAGE)
    place = benchmark.pedantic(quality.place_of_truth, args=(corrected.model, held), rounds=1)
    thirds = np.array_split(np.arange(place.shape[1]), 3)
    note = f"{held.batch.num_pairs} pairs, sampled trajectories"
    for share in (0.5, 0.9):
        for third, part in zip(thirds, ("first", "second", "last"), strict=True):
            inside = measures.central(place, share).pooled(slice(third[0], third[-1] + 1))
            name = (
                f"corrected: coverage of the {share:.0%} band, {part} third of the horizon, distance from it"
            )
            judge(name, inside, 2, "points", note, nominal=share, factor=100)
