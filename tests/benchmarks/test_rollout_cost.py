"""What a rollout costs: against recomputing every step, against one parallel pass, and by size.

S = 64 trajectories of one pair; 50 points a series, 13 of the second observed, so 37 targets.
"""

from time import perf_counter

import numpy as np
import pytest
import tensorflow as tf

from attn.arrange import forecast
from attn.models import PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import rollout, teacher_force, to_points
from attn.runs import find_run, load_run
from tests.benchmarks.ledger import Cost, Ratio
from tests.benchmarks.recomputation import Recomputation

RUNS = ("historic", "corrected")
NUM_SAMPLES = 64
# Points a series, and how often each is timed.
SIZES = {25: 5, 50: 5, 100: 3, 200: 2, 400: 1}


@pytest.fixture(params=RUNS)
def model(request, is_smallest):
    if is_smallest and request.param == "corrected":
        return build_model(PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8), 0)
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
    pass_by_xla, points = tf.function(model, jit_compile=True, autograph=False), to_points(rows)

    def run(xla):
        return rollout(model, batch, num_samples, np.random.default_rng(1), xla=xla)

    written = np.stack([run(xla).samples[:, 0, batch.is_target[0]] for xla in (False, True)])
    for other in (graph(), fused()):
        # float32, y of order 1, and errors that are fed back over 37 steps
        np.testing.assert_allclose(written, np.stack([other] * 2), atol=1e-5)
    start = perf_counter()
    np.testing.assert_allclose(again.eager(1), written[0, :1], atol=1e-5)
    eager = num_samples * (perf_counter() - start)

    seconds = side_by_side(
        5,
        xla=lambda: run(True),
        graph=lambda: run(False),
        recomputed=graph,
        recomputed_by_xla=fused,
        one_pass=lambda: teacher_force(model, rows),
        one_pass_by_xla=lambda: pass_by_xla(points),
        exact=lambda: process.rollout(batch, num_samples, np.random.default_rng(1)),
    )
    recomputed = min(seconds["recomputed"], seconds["recomputed_by_xla"])
    one_pass = min(seconds["one_pass"], seconds["one_pass_by_xla"])
    name = f"{request.node.callspec.params['model']}: rollout"
    scaled = "eager, one trajectory at a time; one of 64 timed, times 64"
    for way, label, has_target in (("xla", "compiled for its shape", True), ("graph", "traced once", False)):
        of, bound = seconds[way], (lambda target, has_target=has_target: target if has_target else None)
        record(
            Ratio(f"{name} {label}, against the historic way", eager / of, bound(300), "higher", "x", scaled),
            Ratio(
                f"{name} {label}, against batched and compiled recomputation",
                recomputed / of,
                bound(15),
                "higher",
                note="the faster of a graph over the points so far and XLA over padded ones",
            ),
            Ratio(
                f"{name} {label}, over one parallel pass over the same S x L points",
                of / one_pass,
                bound(1.0),
                "lower",
                note="teacher forcing of S = 64 rows, L = 100; the faster of graph and XLA",
            ),
            Ratio(
                f"{name} {label}, over the exact GP",
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
    assert of_cache(64, 100) == 64 * 100 * of_cache(1, 1)
    record(
        Ratio(
            f"{name}: bytes a written point holds, of any trajectory",
            of_cache(1, 1),
            None,
            "lower",
            "B",
            "linear in trajectories and in points: asserted; the history is held once a pair",
        )
    )


def _rng():
    return np.random.default_rng(0)
