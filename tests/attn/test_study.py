import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from attn.models import PairTransformerConfig
from attn.processes import PairProcess
from attn.study import CONTENDERS, FINE_TUNED, FITTED, LAST, StudyConfig, study
from attn.study_report import Words, safe, study_figure, study_json, study_markdown
from attn.tables import read_csv
from attn.train import TrainConfig, train

NUM_WINDOWS = 15
CONFIG = StudyConfig(num_context=3, num_steps=2, num_samples=4)


def table_of(change=None, folder=None):
    """Windows of 8 steps of a|b, which follows a| at a distance; `change` may alter the frame."""
    x = np.arange(8.0 * NUM_WINDOWS)
    rng = np.random.default_rng(0)
    a = 3 * np.sin(x / 2) + 0.2 * rng.standard_normal(x.size)
    frames = [pd.DataFrame({"t": x, "who": who, "y": y}) for who, y in (("a|", a), ("b", a + 5))]
    frame = pd.concat(frames, ignore_index=True)
    path = folder / "t.csv"
    (frame if change is None else change(frame)).to_csv(path, index=False)
    return read_csv(path, "t", "who", "y", window=8, num_context=3, is_split=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = TrainConfig(
        num_context=3, num_epochs=1, steps_per_epoch=2, batch_size=4, warmup_steps=0, num_test_pairs=4
    )
    model = PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8)
    return train(tmp_path_factory.mktemp("runs") / "small", model, config, PairProcess(num_points=8))


@pytest.fixture(scope="module")
def found(run, tmp_path_factory):
    steps = []
    answer = study(run, table_of(folder=tmp_path_factory.mktemp("data")), CONFIG, steps.append)
    assert len(steps) == CONFIG.num_reports
    return answer


@pytest.mark.slow
def test_the_last_fifth_is_scored_by_every_contender(found):
    assert found.num_trained_on == 12
    assert found.held_out.window_labels == ("96", "104", "112")
    assert tuple(found.forecasts) == tuple(found.standings) == CONTENDERS
    assert found.batch.is_target.sum() == 3 * 5
    assert set(found.batch.series[found.batch.is_target]) == {1}


@pytest.mark.slow
def test_figures_by_hand(found):
    """RMSE in free running and NLL under teacher forcing, in units of the table."""
    where, y = found.batch.is_target, found.batch.y
    for name in CONTENDERS:
        answer, standing = found.forecasts[name], found.standings[name]
        rmse = np.sqrt(np.mean((y - answer.free.mean)[where] ** 2))
        assert standing.rmse.value == pytest.approx(rmse)
        nll = -norm.logpdf(y[where], answer.forced.mean[where], answer.forced.scale[where]).mean()
        assert standing.nll.value == pytest.approx(nll)
        assert standing.rmse.low <= rmse <= standing.rmse.high
        if name != FINE_TUNED:
            more = standing.rmse.value - found.standings[FINE_TUNED].rmse.value
            assert standing.rmse_more.value == pytest.approx(more)


@pytest.mark.slow
def test_last_value_is_in_units_of_the_table(found):
    """The third point of b in the first held-out window, and how far off it was in those before."""
    x = np.arange(8.0 * NUM_WINDOWS)
    b = 5 + 3 * np.sin(x / 2) + 0.2 * np.random.default_rng(0).standard_normal(x.size)
    windows = b.reshape(NUM_WINDOWS, 8)
    answer = found.forecasts[LAST].free
    np.testing.assert_allclose(answer.mean[0, -5:], windows[12, 2])
    scale = np.sqrt(np.mean((windows[:12, 3:] - windows[:12, 2:3]) ** 2))
    np.testing.assert_allclose(answer.scale[:, -5:], scale)


@pytest.mark.slow
def test_nothing_of_the_held_out_windows_is_learnt(run, found, tmp_path):
    """The targets of the last window change wildly: no forecast from the context alone moves."""

    def change(frame):
        last = (frame.who == "b") & (frame.t >= 112 + 3)
        return frame.assign(y=np.where(last, -1000.0, frame.y))

    other = study(run, table_of(change, tmp_path), CONFIG)
    assert other.fit == found.fit
    assert (other.held_out.y_centre, other.held_out.y_scale) == (
        found.held_out.y_centre,
        found.held_out.y_scale,
    )
    for name in CONTENDERS:
        for part in ("mean", "scale"):
            ours, theirs = (getattr(s.forecasts[name].free, part) for s in (found, other))
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_study_can_be_made_again(run, found, tmp_path):
    again = study(run, table_of(folder=tmp_path), CONFIG)
    for name in CONTENDERS:
        assert again.standings[name].rmse.value == pytest.approx(found.standings[name].rmse.value, rel=1e-4)
        assert again.standings[name].rmse.low == pytest.approx(found.standings[name].rmse.low, rel=1e-4)


WORDS = Words("Title", "About.", "Caveat.", "15 windows", "attn study --csv t.csv")


@pytest.mark.slow
def test_markdown_says_what_was_measured_and_escapes_what_came_from_outside(found):
    text = study_markdown(found, WORDS)
    assert "all of a\\| is given, and the first 3 points of b" in text
    assert "Learnt from: the first 12 windows.  Scored on: the last 3, which start 96 to 112, with 15" in text
    for name in CONTENDERS:
        assert f"| {name} | {found.standings[name].rmse.value:.3g} [" in text
    assert text.count("fine-tuned against") == len(CONTENDERS) - 1
    process = found.fit.process
    length = process.length_scale * 8 / 10
    assert f"Found: {process.kernel} of scale" in text
    assert f"length-scale {length:.3g}" in text


@pytest.mark.slow
def test_verdicts_need_an_interval_without_0(found):
    interval = found.standings[FITTED].rmse_more
    cases = {(1, 0.5, 2): "lower", (-1, -2, -0.5): "higher", (1, -1, 2): "not told apart"}
    for (value, low, high), verdict in cases.items():
        other = replace(interval, value=value, low=low, high=high)
        standings = found.standings | {FITTED: replace(found.standings[FITTED], rmse_more=other)}
        text = study_markdown(replace(found, standings=standings), WORDS)
        assert f"- fine-tuned against {FITTED}: RMSE {verdict}, NLL" in text


@pytest.mark.slow
def test_json_holds_every_figure(found):
    content = json.loads(study_json(found, WORDS))
    assert content["standings"][FITTED]["nll"]["value"] == found.standings[FITTED].nll.value
    assert content["series"] == ["a|", "b"]
    errors = content["mean_squared_errors"][LAST]
    assert np.mean(errors) == pytest.approx(found.standings[LAST].rmse.value ** 2, rel=1e-4)


@pytest.mark.slow
def test_the_picture_shows_the_window_of_the_median_error(found):
    figure = study_figure(found)
    row = int(np.argsort(found.squared_errors(FINE_TUNED))[1])
    assert figure.get_suptitle() == f"held-out window from {found.held_out.window_labels[row]}"
    labels = [text.get_text() for axes in figure.axes for text in axes.get_legend().get_texts()]
    assert set(CONTENDERS) <= set(labels)


def test_safe_text_is_one_line_without_markup():
    assert safe("a\n| [b](c) <d>_`*\\") == "a \\| \\[b\\](c) \\<d\\>\\_\\`\\*\\\\"
