import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.check import Finding, check
from diagnostics.cli import main
from diagnostics.measures import by_target
from diagnostics.plots.power import draw_power
from diagnostics.power import curve
from diagnostics.power.curve import Power, least_detected, measure_power
from diagnostics.power.report import power_in_words, write_power

PROCESS = PairProcess(num_points=12)


def made(size, num_flagged, decay=0.0, num_runs=20):
    return Power(f"s, offset {size}", size, decay, num_runs, num_flagged, {"a_check": num_flagged})


@check(family="boundary", suspects=())
def moved_by_more_than_half(subject, scenario, rng):
    """Is the first target further from the posterior than half a deviation?"""
    batch = scenario.forecast
    exact, mean = scenario.process.posterior(batch), subject.teacher_force(batch).mean
    far = by_target(batch, np.abs(mean - exact.mean) / exact.scale)[:, 0].min() > 0.5001
    return Finding("failed" if far and "offset" in subject.name else "passed", "d")


def test_every_offset_and_every_control_is_counted_over_all_runs():
    steps = []
    found = measure_power(
        OracleSubject(PROCESS), PROCESS, num_context=4, sizes=(0.0, 0.5, 0.75), num_runs=4, num_pairs=6,
        checks=(moved_by_more_than_half,), on_step=steps.append,
    )  # fmt: skip
    assert [(p.size, p.decay) for p in found] == [
        (0.0, 0.0), (0.5, 0.0), (0.75, 0.0), (0.0, 0.8), (0.5, 0.8), (0.75, 0.8), (None, None), (None, None),
    ]  # fmt: skip
    assert [p.num_flagged for p in found] == [0, 0, 4, 0, 0, 4, 0, 0]
    assert {p.num_runs for p in found} == {4}
    assert len(steps) == curve.num_steps((0.0, 0.5, 0.75)) == 8


def test_a_check_that_breaks_off_is_no_verdict():
    @check(family="boundary", suspects=())
    def broken(subject, scenario, rng):
        """Does it break?"""
        raise RuntimeError("no such thing")

    with pytest.raises(SubjectError, match=r"broken: .*no such thing"):
        measure_power(
            OracleSubject(PROCESS), PROCESS, num_context=4, num_runs=1, num_pairs=4, checks=(broken,)
        )


def test_the_checks_of_the_boundary_see_two_deviations_and_leave_the_healthy_alone():
    found = measure_power(
        OracleSubject(curve.PROCESS), curve.PROCESS, num_context=6, sizes=(0.0, 2.0), num_runs=3
    )
    by_size = {(p.size, p.decay): p.num_flagged for p in found}
    assert by_size[0.0, 0.0] == by_size[0.0, 0.8] == 0
    assert by_size[2.0, 0.0] == by_size[2.0, 0.8] == 3
    assert found[-2].num_flagged == 0  # the honest subject that sees every second point


def test_the_interval_is_that_of_clopper_and_pearson():
    # none of n: the upper bound is 1 - 0.025^(1/n)
    assert made(0.5, 0).interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert made(0.5, 20).interval == pytest.approx((0.025 ** (1 / 20), 1.0))
    assert made(0.5, 5).share == 0.25


def test_the_least_offset_detected_is_that_from_which_on_all_are():
    powers = [
        made(0.0, 20),
        made(0.1, 20),
        made(0.25, 3),
        made(0.5, 19),
        made(1.0, 20),
        made(0.1, 0, decay=0.8),
    ]
    assert least_detected(powers, 0.0) == 0.5
    assert least_detected(powers, 0.8) is None


def test_the_words_name_what_was_detected_and_what_must_not_be():
    control = Power("exact, every 2.", None, None, 20, 1, {"a_check": 1})
    said = power_in_words([made(0.0, 0), made(0.5, 20), control])
    assert said[0].endswith("at least 95 % of the runs are flagged from 0.5 standard deviations on.")
    assert said[0].startswith("offset at the first target only")
    assert "healthy, not to be flagged: s, offset 0.0, 0 of 20" in said[1]
    assert "honestly uncertain, not to be flagged: exact, every 2., 1 of 20" in said[2]


def test_the_picture_shows_shares_with_intervals():
    ax = Figure(layout="constrained").add_subplot()
    assert draw_power(ax, [made(0.1, 2), made(0.5, 20), made(0.1, 0, 0.8), made(0.5, 10, 0.8)]) is ax
    lines = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}
    assert lines["offset at the first target only"] == [0.1, 1.0]
    assert lines["offset that decays over the horizon"] == [0.0, 0.5]
    ends = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert ends[0] == pytest.approx(list(made(0.1, 2).interval))
    empty = draw_power(Figure().add_subplot(), [])
    assert "No offset" in empty.texts[0].get_text()


def test_a_study_is_written_as_csv_markdown_and_png(tmp_path):
    powers = [made(0.0, 0), made(0.5, 20), Power("exact | gp", None, None, 20, 1, {"a_check": 1})]
    written = write_power(powers, tmp_path / "new", healthy="the exact posterior", command="diagnose power")
    table = pd.read_csv(written.table)
    assert table["share"].tolist() == [0, 1, 0.05]
    assert table["a_check"].tolist() == [0, 20, 1]
    assert table["offset"].isna().tolist() == [False, False, True]
    text = written.markdown.read_text()
    assert "| 0.5 | 0 | 20 | 20 | 1.00 [0.83, 1.00] | a\\_check 20 |" in text
    assert "exact \\| gp" in text
    assert "diagnose power" in text
    assert written.picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_the_study(tmp_path, capsys, monkeypatch):
    ask = ["power", "--out", str(tmp_path / "p"), "--num-runs", "1", "--num-pairs", "8"]
    assert main(ask) == 0
    assert "not to be flagged" in capsys.readouterr().out
    monkeypatch.setattr(curve, "measure_power", lambda *_, **__: (made(0.5, 20),))
    assert main([*ask, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*ask, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["powers"]
    assert (row["offset"], row["runs"], row["flagged"], row["share"]) == (0.5, 20, 20, 1.0)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["power.csv", "power.md", "power.png"]


def test_a_subject_without_a_process_is_refused_in_a_sentence(tmp_path, capsys, monkeypatch):
    (tmp_path / "lone_power_subject.py").write_text(
        "class Lone:\n    name = 'lone'\n    def teacher_force(self, b): ...\n"
        "    def predict_next(self, h, x, s): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["power", "--out", "p", "--subject", "lone_power_subject:Lone"]) == 2
    assert "must have a process" in capsys.readouterr().err
