from types import SimpleNamespace

from attn.commands.study import _print_standings
from attn.study import CONTENDERS, Interval


def test_the_intervals_of_a_study_are_whole_at_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    standing = SimpleNamespace(  # as long as those of the delays
        rmse=Interval(13.2, 11.3, 15.1),
        nll=Interval(3.54, 3.44, 3.66),
        rmse_more=Interval(-0.136, -0.452, 0.245),
        nll_more=Interval(-0.0299, -0.0435, -0.0149),
    )
    _print_standings(SimpleNamespace(standings=dict.fromkeys(CONTENDERS, standing)))
    printed = capsys.readouterr().out
    for whole in ("[11.3, 15.1]", "[3.44, 3.66]", "[-0.452, 0.245]", "[-0.0435, -0.0149]"):
        assert printed.count(whole) == len(CONTENDERS)
    for name in CONTENDERS:
        assert name in printed
