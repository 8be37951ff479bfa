import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from attn.arrange import forecast
from attn.attention_plots import attention_figures, most_voted, plot_attention, write_animation
from attn.plots import (
    Inference,
    examples_figure,
    finish,
    inference_figure,
    new_figure,
    plot_arrangement,
    plot_inference,
    plot_pair,
    plot_sequences,
)
from attn.processes import named_process
from attn.types import Attention

NUM_CONTEXT = 8  # 6 points of A, 2 of B


@pytest.fixture(scope="module")
def inference():
    from dataclasses import replace

    rng = np.random.default_rng(0)
    process = replace(named_process("rbf_const_2D"), num_points=6)
    batch = forecast(process.sample(2, rng), 2, rng, target_series=1)
    return Inference(
        batch, process.rollout(batch, 3, rng), process.forecast(batch), ("Nord$ee", "B"), "h", "deg"
    )


def drawn(axes, label):
    """x and y of the line with that label."""
    line = next(line for line in axes.get_lines() if line.get_label() == label)
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_single_sequences_are_drawn_five_in_one_axes_sorted_by_x():
    pairs = named_process("rbf").sample(7, np.random.default_rng(0))
    axes = new_figure().axes[0]
    assert plot_sequences(axes, pairs) is axes
    assert len(axes.get_lines()) == 5
    x, y = drawn(axes, "sequence 3")
    order = np.argsort(pairs.x[3])
    np.testing.assert_array_equal(x, pairs.x[3, order])
    np.testing.assert_array_equal(y, pairs.y[3, order])
    assert len(examples_figure(pairs).axes) == 1


def test_pairs_are_drawn_in_four_axes_and_an_axes_without_a_pair_is_empty():
    pairs = named_process("rbf_const_2D").sample(3, np.random.default_rng(0))
    figure = examples_figure(pairs)
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2, 2, 0]


def test_padding_is_not_drawn():
    pairs = named_process("rbf_const_2D").sample(1, np.random.default_rng(0))
    pairs.valid[0, :10] = False
    x, _ = drawn(plot_pair(new_figure().axes[0], pairs, 0), "series 0")
    np.testing.assert_array_equal(x, np.sort(pairs.x[0, 10:50]))


def test_an_arrangement_shows_every_point_at_its_position_observed_or_not(inference):
    batch = inference.batch
    axes = plot_arrangement(new_figure().axes[0], batch, 1)
    faces = {
        line.get_label(): line.get_markerfacecolor()
        for line in axes.get_lines()
        if line.get_marker() != "None"
    }
    a, seen, unseen = "series 0, observed", "series 1, observed", "series 1, target"
    assert set(faces) == {a, seen, unseen}
    assert faces[unseen] == "none" != faces[seen]
    for label, positions in ((a, range(6)), (seen, range(6, 8)), (unseen, range(8, 12))):
        x, y = drawn(axes, label)
        assert x.tolist() == list(positions)
        np.testing.assert_array_equal(y, batch.x[1, list(positions)])
    boundary = next(line for line in axes.get_lines() if line.get_marker() == "None")
    assert set(boundary.get_xdata()) == {7.5}


def test_an_empty_plot_has_no_legend():
    assert finish(new_figure().axes[0], "x", "y").get_legend() is None


def test_an_inference_plot_shows_what_was_seen_and_what_was_written(inference):
    axes = new_figure().axes[0]
    assert plot_inference(axes, inference, 1) is axes
    batch, rollout = inference.batch, inference.rollout
    np.testing.assert_array_equal(drawn(axes, "B, observed")[0], batch.x[1, 6:8])
    np.testing.assert_array_equal(drawn(axes, "A: Nord\\$ee")[0], batch.x[1, :6])
    np.testing.assert_array_equal(drawn(axes, "B: B")[1], batch.y[1, 6:])
    np.testing.assert_allclose(drawn(axes, "mean")[1], rollout.mean[:, 1, 8:].mean(axis=0))
    assert sorted(drawn(axes, "samples")[1]) == sorted(rollout.samples[:, 1, 8:].ravel())
    np.testing.assert_array_equal(drawn(axes, "exact GP, 95 % band")[1], inference.exact.mean[1, 8:])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("h", "deg")


def test_the_colours_of_the_original_and_no_two_kinds_of_points_of_one_shape(inference):
    axes = plot_inference(new_figure().axes[0], inference, 0)
    points = [line for line in axes.get_lines() if line.get_linestyle() == "None"]
    assert {line.get_label() for line in points} == {"samples", "mean", "B, observed"}
    assert len({line.get_marker() for line in points}) == 3
    red, green, blue = mpl.colors.to_rgb(next(p.get_color() for p in points if p.get_label() == "mean"))
    assert red > green > 2 * blue  # golden


def test_an_inference_without_a_process_or_of_fewer_steps_is_drawn_too(inference):
    from dataclasses import replace

    cut = replace(
        inference,
        exact=None,
        rollout=type(inference.rollout)(
            *(
                part[:, :, :9]
                for part in (inference.rollout.samples, inference.rollout.mean, inference.rollout.scale)
            )
        ),
    )
    axes = plot_inference(new_figure().axes[0], cut, 0)
    assert drawn(axes, "mean")[0].size == 1
    assert drawn(axes, "B: B")[0].size == 6
    assert not [line for line in axes.get_lines() if line.get_label().startswith("exact")]


def test_only_keeps_one_pair(inference):
    one = inference.only(1)
    np.testing.assert_array_equal(one.batch.x, inference.batch.x[1:])
    np.testing.assert_array_equal(one.rollout.samples, inference.rollout.samples[:, 1:])
    np.testing.assert_array_equal(one.exact.mean, inference.exact.mean[1:])


def test_the_most_voted_keys_are_the_top_five_of_each_head_with_most_votes_first():
    weights = np.zeros((3, 20))
    weights[0, [0, 1, 2, 3, 4, 5]] = [0.3, 0.2, 0.15, 0.14, 0.11, 0.1]  # 5 is sixth: no vote
    weights[1, [4, 6, 7, 8, 9]] = 0.2
    weights[2, [4, 9, 10]] = [0.5, 0.3, 0.2]  # the other keys weigh nothing: no vote
    assert most_voted(weights).tolist() == [4, 9, 0, 1, 6, 7, 8, 10, 2, 3]


def test_a_key_that_cannot_be_seen_is_never_chosen():
    weights = np.zeros((4, 12))
    weights[:, 2] = 1
    assert most_voted(weights).tolist() == [2]


@pytest.fixture(scope="module")
def attention(inference):
    """Every target looks at the point before it."""
    length = inference.batch.num_points
    weights = np.zeros((1, 2, 1, length, length))
    weights[..., np.arange(1, length), np.arange(length - 1)] = 1.0
    weights *= inference.batch.is_target[None, :, None, :, None]
    return Attention(weights, np.arange(length), np.arange(length))


def test_an_attention_plot_rings_the_keys_and_stars_the_predicted_point(inference, attention):
    axes = new_figure().axes[0]
    assert plot_attention(axes, inference, attention, 0, 10) is axes
    written = inference.rollout.samples[0, 0]
    assert drawn(axes, "predicted") == (inference.batch.x[0, 10], written[10])
    rings = axes.collections[0].get_offsets()
    np.testing.assert_allclose(rings, [[inference.batch.x[0, 9], written[9]]])
    np.testing.assert_array_equal(drawn(axes, "fed back")[1], written[8:10])
    with pytest.raises(ValueError, match="one of the queries of the attention; got 99"):
        plot_attention(axes, inference, attention, 0, 99)


def test_there_is_a_figure_a_step_and_a_frame_a_figure(inference, attention):
    figures = list(attention_figures(inference, attention, 0, "pair"))
    assert [f.axes[0].get_title() for f in figures] == [f"pair, step {i} of 4" for i in range(1, 5)]
    assert len({f.axes[0].get_ylim() for f in figures}) == 1
    file = io.BytesIO()
    write_animation(file, figures)
    with Image.open(file) as gif:
        assert (gif.format, gif.n_frames) == ("GIF", 4)
    with pytest.raises(ValueError, match="at least one figure"):
        write_animation(io.BytesIO(), [])


def test_no_state_of_matplotlib_is_touched(inference):
    import sys

    before = dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules
    inference_figure(inference, 0, "a $title").savefig(io.BytesIO(), format="png")
    assert (dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules) == before
