import numpy as np
import pytest

from attn.models import HistoricConfig, build_model
from attn.processes import PairProcess, named_process
from attn.snapshot import NUM_SAMPLES, Snapshot
from attn.types import Batch

PROCESS = PairProcess(num_points=6)
MODEL = build_model(HistoricConfig(width=4, layer_dims=(4, 4, 4)), seed=0)


def shuffled(pairs, num_context):
    """The pairs in the order in which they were drawn, the first points observed."""
    return Batch(pairs.x, pairs.series, pairs.y, pairs.valid, np.full(pairs.num_pairs, num_context))


def rows_of(*num_points):
    """One pair a row with (points of series 0, points of series 1), padded."""
    length = max(map(sum, num_points))
    series = np.array([[0] * a + [1] * b + [0] * (length - a - b) for a, b in num_points])
    valid = np.array([[i < a + b for i in range(length)] for a, b in num_points])
    x = np.tile(np.linspace(5, 15, length), (len(num_points), 1))
    return Batch(x, series, np.sin(x), valid, np.ones(len(num_points), int))


def snapshot(batch, num_context=2, process=None):
    return Snapshot.of(batch, num_context, process, seed=0)


def test_all_of_the_other_series_and_the_first_points_of_the_continued_one_are_seen():
    test = shuffled(PROCESS.sample(3, np.random.default_rng(0)), num_context=9)
    batch = snapshot(test, num_context=2, process=PROCESS).batch
    assert batch.series.tolist() == [[0] * 6 + [1] * 6]
    assert batch.num_context.tolist() == [8]
    for series in (0, 1):
        assert batch.x[0][batch.series[0] == series].tolist() == sorted(test.x[0][test.series[0] == series])


def test_the_exact_answer_stands_beside_it():
    test = shuffled(PROCESS.sample(3, np.random.default_rng(0)), num_context=9)
    with_process = snapshot(test, process=PROCESS)
    np.testing.assert_array_equal(with_process.exact.mean, PROCESS.forecast(with_process.batch).mean)
    assert snapshot(test).exact is None


@pytest.mark.parametrize(
    ("num_points", "row", "continued", "num_context"),
    [
        ([(4, 4), (4, 4)], 0, 1, 4 + 2),
        ([(2, 1), (3, 4)], 1, 1, 3 + 2),
        ([(3, 1)], 0, 0, 1 + 2),
        ([(5, 0)], 0, 0, 2),
        ([(0, 5)], 0, 1, 2),
        ([(1, 2)], 0, 1, 1 + 1),
    ],
)
def test_the_longest_series_is_continued(num_points, row, continued, num_context):
    test = rows_of(*num_points)
    batch = snapshot(test).batch
    assert sorted(batch.x[0]) == sorted(test.x[row])
    assert batch.series[0, batch.valid[0]][-1] == continued
    assert batch.num_context.tolist() == [num_context]


def test_nothing_is_shown_where_nothing_can_be_continued():
    assert snapshot(rows_of((1, 1), (1, 1))) is None


def test_the_same_model_continues_the_same_pair_alike():
    test = shuffled(PROCESS.sample(1, np.random.default_rng(0)), num_context=9)
    one, other = (snapshot(test, process=PROCESS).inference(MODEL) for _ in range(2))
    assert one.rollout.samples.shape == (NUM_SAMPLES, 1, 12)
    np.testing.assert_array_equal(one.rollout.samples, other.rollout.samples)


@pytest.mark.parametrize("kernel", ["rbf_const_2D", "rbf"])
def test_the_pictures_show_inference_and_the_first_prediction(kernel):
    process = named_process(kernel)
    shown = snapshot(shuffled(process.sample(1, np.random.default_rng(0)), 9), process=process)
    figures = shown.figures(MODEL, "mine, step 3")
    titles = [figure.axes[0].get_title() for figure in figures.values()]
    assert dict(zip(figures, titles, strict=True)) == {
        "inference": "mine, step 3",
        "boundary_attention": "mine, step 3, first prediction",
    }
    star = next(line for line in figures["boundary_attention"].axes[0].lines if line.get_marker() == "*")
    first = int(shown.batch.num_context[0])
    assert star.get_xdata().tolist() == [shown.batch.x[0, first]]


def test_a_model_gone_wild_is_drawn_all_the_same():
    """The board must not end a training that may yet recover."""
    wild = build_model(HistoricConfig(width=4, layer_dims=(4, 4, 4)), seed=0)
    wild.head.bias.assign([0.0, 200.0])  # exp(200) is infinite in float32
    shown = snapshot(shuffled(PROCESS.sample(1, np.random.default_rng(0)), 9), process=PROCESS)
    for figure in shown.figures(wild, "wild").values():
        figure.canvas.draw()
        assert np.isfinite(figure.axes[0].axis()).all()
