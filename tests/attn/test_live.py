from itertools import pairwise

import numpy as np
import pytest

from attn.live import LivePlot, plot_losses, plot_r2
from attn.models import HistoricConfig, build_model
from attn.plots import new_figure
from attn.processes import PairProcess, named_process
from attn.stream import Stream
from attn.train import Progress, TrainConfig, held_out_pair, train

PROCESS = PairProcess(num_points=5)
TINY = HistoricConfig(width=4, layer_dims=(4, 4, 4))
MODEL = build_model(TINY, seed=0)
CONFIG = TrainConfig(
    num_context=2, num_epochs=2, steps_per_epoch=3, batch_size=4, warmup_steps=1, num_test_pairs=8
)
EPOCH = {
    "step": 3.0,
    "train_loss": 1.5,
    "test_loss": 2.5,
    "train_r2_series_0": 0.5,
    "test_r2_series_0": 0.25,
    "test_r2_series_1": -1.0,
}


def drawn(axes):
    """By label, x and y of every line."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def advance(plot, num_steps, num_all, epoch_at=()):
    for step in range(1, num_steps + 1):
        epoch = {**EPOCH, "step": float(step)} if step in epoch_at else None
        plot(Progress(step, num_all, loss=10.0 - step, epoch=epoch, model=MODEL))


def test_a_figure_is_shown_every_so_many_steps_and_at_the_end():
    shown = []
    advance(LivePlot(None, shown.append, every=3), num_steps=7, num_all=7)
    assert [figure.axes[0].get_title() for figure in shown] == [
        "step 3 of 7",
        "step 6 of 7",
        "step 7 of 7",
    ]


def test_every_figure_holds_all_losses_so_far():
    shown = []
    advance(LivePlot(None, shown.append, every=2), num_steps=4, num_all=9, epoch_at=(3,))
    first, second = (figure.axes[1] for figure in shown)
    assert drawn(first) == {"training": ([1, 2], [9.0, 8.0])}
    assert drawn(second) == {"training": ([1, 2, 3, 4], [9.0, 8.0, 7.0, 6.0]), "test": ([3.0], [2.5])}


def test_the_pair_is_continued_by_the_model_of_that_step():
    snapshot = held_out_pair(CONFIG, PROCESS)
    shown = []
    advance(LivePlot(snapshot, shown.append), num_steps=1, num_all=1)
    x, mean = drawn(shown[0].axes[0])["mean"]
    written = snapshot.inference(MODEL).rollout
    observed = 5 + 2
    np.testing.assert_array_equal(x, snapshot.batch.x[0, observed:])
    expected = written.mean[:, 0, observed:].mean(axis=0)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-6)  # threads sum in another order


def test_where_no_pair_can_be_continued_the_losses_are_shown_alone():
    shown = []
    advance(LivePlot(None, shown.append), num_steps=1, num_all=1)
    assert not shown[0].axes[0].axison


@pytest.mark.parametrize("overfit", [False, True])
def test_the_pair_is_the_first_of_the_test_pairs(overfit):
    """In overfit mode the test pairs are those of the one batch."""
    config = TrainConfig(**{**vars(CONFIG), "overfit": overfit})
    stream = Stream(PROCESS, config.regime, config.num_context, config.batch_size, config.seed, overfit)
    test = stream.batch(0) if overfit else stream.test(config.num_test_pairs)
    shown = LivePlot.of(config, PROCESS, show=len).snapshot.batch
    assert sorted(shown.x[0]) == sorted(test.x[0])


def test_a_training_is_followed_to_its_end(tmp_path):
    shown = []
    live = LivePlot.of(CONFIG, PROCESS, shown.append, every=4)
    run = train(tmp_path / "run", TINY, CONFIG, PROCESS, on_progress=live)
    assert len(shown) == 2  # steps 4 and 6
    assert live.history == run.history
    assert [step for step, _ in live.losses] == [1, 2, 3, 4, 5, 6]
    pictures = [np.asarray(drawn(figure.axes[0])["mean"][1]) for figure in shown]
    assert all(not np.array_equal(one, other) for one, other in pairwise(pictures))  # the model has moved


def test_the_losses_of_no_step_yet_are_an_empty_plot():
    axes = plot_losses(new_figure().axes[0], [], [])
    assert drawn(axes) == {}
    assert axes.get_legend() is None


def test_r2_is_drawn_of_each_series_that_has_it():
    axes = plot_r2(new_figure().axes[0], [EPOCH, {**EPOCH, "step": 6.0, "test_r2_series_1": 0.75}])
    assert drawn(axes) == {
        "test, series 0": ([3.0, 6.0], [0.25, 0.25]),
        "train, series 0": ([3.0, 6.0], [0.5, 0.5]),
        "test, series 1": ([3.0, 6.0], [-1.0, 0.75]),
    }


def test_single_sequences_are_followed_too():
    shown = []
    process = named_process("rbf")
    live = LivePlot.of(CONFIG, process, shown.append)
    live(Progress(1, 1, loss=1.0, epoch=None, model=MODEL))
    assert "mean" in drawn(shown[0].axes[0])


def test_the_distance_between_figures_must_be_a_step_at_least():
    with pytest.raises(ValueError, match=r"^every must be at least 1; got 0$"):
        LivePlot(None, len, every=0)
