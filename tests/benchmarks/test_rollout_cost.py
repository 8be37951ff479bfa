"""What a rollout costs: against recomputing every step, against one parallel pass, and by size.

S = 64 trajectories of one pair; 50 points a series, 13 of the second observed, so 37 targets.
"""

from time import perf_counter
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from attn.arrange import forecast
from attn.models import PairSmootherConfig, build_model
from attn.processes import PairProcess
from attn.rollout import rollout, teacher_force, to_points
from attn.runs import find_run, load_run
from tests.benchmarks.ledger import Cost, Ratio
from tests.benchmarks.recomputation import Recomputation

RUNS = ("historic", "corrected")
NUM_SAMPLES = 64
# Points a series, and how often each is timed.
SIZES = {25: 5, 50: 5, 100: 3, 200: 2, 400: 1}


class Targets(NamedTuple):
    """What a rollout is to reach: see `_ratios`."""

    historic: float | None = 300
    recomputed: float | None = 15
    one_pass: float | None = 1.0


NO_TARGETS = Targets(None, None, None)


@pytest.fixture(params=RUNS)
def model(request, is_smallest):
    if is_smallest and request.param == "corrected":
        tiny = PairSmootherConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8, estimate_dim=4)
        return build_model(tiny, 0)
    return load_run(find_run(request.param)).model


def a_pair(num_points):
    """One pair of which all of A and 26 % of B are observed, as at inference."""
    rng = np.random.default_rng(0)
    process = PairProcess(num_points=num_points)
    return process, forecast(process.sample(1, rng), round(0.26 * num_points), rng)


def test_against_recomputing_every_step(model, request, side_by_side, record, is_smallest):
    num_samples, num_points = (2, 6) if is_smallest else (NUM_SAMPLES, 50)
    process, batch = a_pair(num_points)
    rows = batch.rows(np.zeros(num_samples, int))
    num_targets = int(batch.is_target.sum())
    noise = np.random.default_rng(1).standard_normal((num_samples, num_targets), np.float32)
    again = Recomputation(model, batch, noise)
    graph, fused = again.graph(), again.fused()
    forward = tf.function(model, jit_compile=True, autograph=False)

    def run(xla):
        return rollout(model, batch, num_samples, np.random.default_rng(1), xla=xla)

    def one_pass_by_xla():  # from numpy to numpy, as the others
        return [part.numpy() for part in forward(to_points(rows))]

    written, compiling = _timed(lambda: run(True).samples[:, 0, batch.is_target[0]])
    # float32, y of order 1, and errors that are fed back over 37 steps
    for other in (run(False).samples[:, 0, batch.is_target[0]], graph(), fused()):
        np.testing.assert_allclose(written, other, atol=1e-5)
    alone, eager = _timed(lambda: again.eager(1))
    np.testing.assert_allclose(alone, written[:1], atol=1e-5)

    seconds = side_by_side(
        15,
        xla=lambda: run(True),
        graph=lambda: run(False),
        recomputed=graph,
        recomputed_by_xla=fused,
        one_pass=lambda: teacher_force(model, rows),
        one_pass_by_xla=one_pass_by_xla,
        exact=lambda: process.rollout(batch, num_samples, np.random.default_rng(1)),
    )
    name = request.node.callspec.params["model"]
    record(
        *_ratios(f"{name}: rollout compiled for its shape", "xla", seconds, num_samples * eager, Targets()),
        *_ratios(f"{name}: rollout traced once", "graph", seconds, num_samples * eager, NO_TARGETS),
        Ratio(
            f"{name}: rollouts of one shape after which compiling has paid",
            compiling / max(1e-9, seconds["graph"] - seconds["xla"]),
            None,
            "lower",
            "rollouts",
            f"compiling takes {compiling:.1f} s",
        ),
    )


def _timed(function):
    """What a function returns, and the seconds that it took."""
    start = perf_counter()
    result = function()
    return result, perf_counter() - start


def _ratios(name, way, seconds, eager, targets):
    """One way of rolling out beside its references; `eager` is the historic way's seconds."""
    of = seconds[way]
    recomputed = min(seconds["recomputed"], seconds["recomputed_by_xla"])
    one_pass = min(seconds["one_pass"], seconds["one_pass_by_xla"])
    return (
        Ratio(
            f"{name}, against the historic way",
            eager / of,
            targets.historic,
            "higher",
            note="eager, one trajectory after the other; one of 64 is timed, times 64",
        ),
        Ratio(
            f"{name}, against batched and compiled recomputation",
            recomputed / of,
            targets.recomputed,
            "higher",
            note="the faster of a graph over the points so far and XLA over padded ones",
        ),
        Ratio(
            f"{name}, over one parallel pass over the same S x L points",
            of / one_pass,
            targets.one_pass,
            "lower",
            note="teacher forcing of S = 64 rows, L = 100; the faster of graph and XLA",
        ),
        Ratio(
            f"{name}, over the exact GP",
            of / seconds["exact"],
            None,
            "lower",
            note="one Cholesky factor draws all trajectories jointly",
        ),
    )


def test_cost_against_size(model, request, benchmark, record, is_smallest):
    sizes = {5: 1} if is_smallest else SIZES
    num_samples = 2 if is_smallest else NUM_SAMPLES
    name = request.node.callspec.params["model"]

    def timed(way, num_points, function, *arguments, **keywords):
        function(*arguments, **keywords)
        taken = []
        for _ in range(sizes[num_points]):
            start = perf_counter()
            function(*arguments, **keywords)
            taken.append(perf_counter() - start)
        record(Cost(way, 2 * num_points, float(np.median(taken))))

    for num_points in sizes:
        process, batch = a_pair(num_points)
        rows = batch.rows(np.zeros(num_samples, int))
        timed(f"{name}: rollout", num_points, rollout, model, batch, num_samples, _rng())
        timed(f"{name}: rollout compiled", num_points, rollout, model, batch, num_samples, _rng(), xla=True)
        timed(f"{name}: one parallel pass", num_points, teacher_force, model, rows)
        if name == RUNS[0]:
            timed("exact GP: rollout", num_points, process.rollout, batch, num_samples, _rng())
    benchmark.pedantic(rollout, args=(model, batch, num_samples, _rng()), rounds=1)


def test_memory_of_a_trajectory_is_linear(model, request, record, benchmark):
    """Bytes that are held for S trajectories of T points; the history is held once a pair, whatever S is."""
    name = request.node.callspec.params["model"]
    _, batch = a_pair(20)
    context = to_points(batch.first(int(batch.num_context[0])))
    x, series = tf.constant(batch.x, tf.float32), tf.constant(batch.series, tf.int32)

    def bytes_of(nest):
        return sum(part.numpy().nbytes for part in tf.nest.flatten(nest))

    def of_cache(num_samples, num_slots):
        return bytes_of(model.empty_cache(tf.constant(1), tf.constant(num_samples), tf.constant(num_slots)))

    benchmark.pedantic(lambda: model.prefill(context, x, series), rounds=1)
    # a trajectory may hold something for its newest point as well, whatever its length
    a_point = of_cache(1, 2) - of_cache(1, 1)
    assert of_cache(64, 100) == 64 * (of_cache(1, 1) + 99 * a_point)
    record(
        Ratio(
            f"{name}: bytes a written point holds, of any trajectory",
            a_point,
            None,
            "lower",
            "B",
            "linear in trajectories and in points: asserted; the history is held once a pair",
        )
    )


def _rng():
    return np.random.default_rng(0)
