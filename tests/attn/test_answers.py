import numpy as np
import pytest

from attn.commands.answers import Setting, answer, scores_frame
from attn.commands.source import Source
from attn.models import HistoricConfig, build_model
from attn.processes import PairProcess

PROCESS = PairProcess(num_points=5)
MODEL = build_model(HistoricConfig(width=4, layer_dims=(4, 4, 4)), seed=0)


@pytest.mark.parametrize("series", [0, 1])
def test_scores_stand_by_path_and_only_the_continued_series_has_an_r2(series):
    source = Source(PROCESS.sample(3, np.random.default_rng(0)), PROCESS)
    answers = answer(MODEL, source, Setting(series, 2, True, True, None, 2, "sample"), seed=0)
    frame = scores_frame(answers)
    assert list(frame.columns) == ["MSE", "R^2", f"R^2 of series {series}", "NLL a target"]
    assert list(frame.index) == list(answers.scores)
    for path, scores in answers.scores.items():
        assert frame.loc[path, "MSE"] == scores.mse
        assert frame.loc[path, f"R^2 of series {series}"] == scores.r2_by_series[series]
    assert np.isnan(frame.loc["free running", "NLL a target"])
    assert (
        frame.loc["exact GP, teacher forcing", "NLL a target"]
        == answers.scores["exact GP, teacher forcing"].nll
    )
