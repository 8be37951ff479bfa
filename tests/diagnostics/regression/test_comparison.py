import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from attn.types import Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.measures import level_gap, mean_of, target_columns
from diagnostics.measuring import NamedStatistic
from diagnostics.regression.baseline import BaselineError, Examined, Plan, examine, to_baseline
from diagnostics.regression.comparison import compare, compare_checks, require_same_process
from diagnostics.regression.directions import DIRECTIONS
from diagnostics.result import CheckResult

PROCESS = PairProcess(num_points=16)
NUM_PAIRS = 256
PLAN = Plan(seed=1, num_pairs=NUM_PAIRS, num_context=4)


class Moved(OracleSubject):
    """The oracle with its mean moved at the first target by `size` scales, towards the level of A."""

    def __init__(self, size, targets=slice(0, 1)):
        super().__init__(PROCESS, f"moved by {size}")
        self.size, self.targets = size, targets

    def move(self, batch, scale):
        place = np.arange(batch.num_points) - target_columns(batch)[:, None]
        is_moved = (place >= 0) & (place < (self.targets.stop or batch.num_points))
        towards_a = np.sign(np.nan_to_num(level_gap(batch)))[:, None]
        return np.where(is_moved, self.size * scale * towards_a, 0.0)

    def teacher_force(self, batch):
        exact = super().teacher_force(batch)
        return Prediction(exact.mean + self.move(batch, exact.scale), exact.scale)

    def rollout(self, batch, num_samples, rng, feed="sample"):
        exact = super().rollout(batch, num_samples, rng, feed)
        move = self.move(batch, exact.scale[0])
        return Rollout(exact.samples + move, exact.mean + move, exact.scale)


def measured(subject, plan=PLAN):
    return examine(subject, plan, checks=())


@pytest.fixture(scope="module")
def oracle():
    return measured(OracleSubject(PROCESS))


def by_hand(results=(), **values):
    """A subject whose measures are the means over pairs of the values given: a number, or one a pair."""
    statistics = tuple(
        NamedStatistic(name, mean_of(np.broadcast_to(value, NUM_PAIRS)[:, None] * 1.0), name)
        for name, value in values.items()
    )
    return Examined("by hand", PROCESS, tuple(results), statistics, np.zeros(NUM_PAIRS))


def compare_by_hand(old, new):
    comparison = compare(to_baseline(by_hand(**old), PLAN), by_hand(**new))
    return {change.name: change for change in comparison.measures}


def standardised(seed):
    """One number a pair; their mean is 0 and their variance 1, to rounding."""
    values = np.random.default_rng(seed).standard_normal(NUM_PAIRS)
    return (values - values.mean()) / values.std()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.0, 0.3, 5.0]))
def test_a_subject_compared_with_itself_differs_by_exactly_nothing(seed, size):
    plan = Plan(seed=seed, num_pairs=32, num_context=3)
    baseline = to_baseline(measured(Moved(size), plan), plan)
    comparison = compare(baseline, measured(Moved(size), plan))
    assert {(m.difference, m.low, m.high) for m in comparison.measures} == {(0.0, 0.0, 0.0)}
    assert {m.verdict for m in comparison.measures} == {"unchanged", "undirected"}
    assert comparison.exit_code == 0


def test_every_measure_of_the_subject_has_a_direction(oracle):
    names = {named.name for named in oracle.statistics}
    assert names - set(DIRECTIONS) == {"rmse_oracle_teacher_forced", "rmse_oracle_free_running"}
    assert set(DIRECTIONS) <= names


@pytest.mark.parametrize(
    ("size", "worse"),
    [(0.5, {"drift_first"}), (-0.5, {"drift_first"}), (1.0, {"drift_first", "nll_first", "nll_gap"})],
)
def test_an_oracle_moved_by_half_a_scale_at_the_boundary_is_worse(size, worse, oracle):
    comparison = compare(to_baseline(oracle, PLAN), measured(Moved(size)))
    verdicts = {change.name: change.verdict for change in comparison.measures}
    assert {verdicts[name] for name in worse} == {"worse"}
    assert "better" not in verdicts.values()
    assert comparison.exit_code == 1


def test_the_way_back_is_better_and_no_finding(oracle):
    comparison = compare(to_baseline(measured(Moved(1.0)), PLAN), oracle)
    verdicts = {change.name: change.verdict for change in comparison.measures}
    assert {verdicts["drift_first"], verdicts["nll_first"]} == {"better"}
    assert "worse" not in verdicts.values()
    assert comparison.exit_code == 0


@pytest.mark.parametrize("size", [1e-6, 1e-3])
def test_a_move_that_does_not_matter_is_not_flagged(size, oracle):
    comparison = compare(to_baseline(oracle, PLAN), measured(Moved(size, slice(None))))
    assert any(change.difference != 0 for change in comparison.measures)
    assert {change.verdict for change in comparison.measures} == {"unchanged", "undirected"}


@pytest.mark.parametrize(
    ("name", "old", "new", "verdict"),
    [
        ("r2_shuffled", 0.90, 0.88, "worse"),
        ("r2_shuffled", 0.90, 0.895, "unchanged"),
        ("r2_shuffled", 0.88, 0.90, "better"),
        ("drift_first", 0.0, 0.03, "worse"),
        ("drift_first", 0.0, -0.03, "worse"),
        ("drift_first", 0.0, 0.009, "unchanged"),
        ("drift_later", 0.03, -0.03, "unchanged"),
        ("drift_later", -0.05, 0.01, "better"),
        ("nll", -1.0, -0.98, "worse"),
        ("nll_first", 0.0, 0.06, "worse"),
        ("nll_first", 0.0, 0.04, "unchanged"),
        ("nll_gap", 0.1, 0.105, "unchanged"),
        ("nll_gap", 0.1, 0.05, "better"),
        ("rmse_free_running", 10.0, 10.3, "worse"),
        ("rmse_free_running", 10.0, 10.1, "unchanged"),
        ("rmse_teacher_forced", 0.1, 0.103, "worse"),
        ("rmse_teacher_forced", 0.1, 0.09, "better"),
        ("coverage_90", 0.9, 0.87, "worse"),
        ("coverage_90", 0.9, 0.93, "worse"),
        ("coverage_90", 0.88, 0.92, "unchanged"),
        ("z_square", 1.0, 1.06, "worse"),
        ("z_square", 1.0, 0.94, "worse"),
        ("z_square", 1.0, 1.04, "unchanged"),
        ("z_square_first", 0.5, 2.0, "unchanged"),
        ("z_square_first", 4.0, 0.5, "better"),
        ("jump_ratio", 0.5, 1.0, "unchanged"),
        ("jump_ratio", 0.9, 1.05, "worse"),
        ("jump_ratio", 1.3, 0.7, "better"),
        ("rmse_oracle_free_running", 0.1, 9.0, "undirected"),
        ("nll", 1.0, math.inf, "worse"),
        ("nll", math.inf, 1.0, "better"),
        ("nll", math.inf, math.inf, "unchanged"),
        ("drift_first", math.nan, math.nan, "unchanged"),
    ],
)
def test_which_way_is_worse_and_how_far_is_far_enough(name, old, new, verdict):
    (change,) = compare_by_hand({name: old}, {name: new}).values()
    assert change.verdict == verdict


def test_pairs_are_compared_with_themselves_so_what_they_share_cancels():
    hard = 10 * standardised(0)
    change = compare_by_hand({"nll": hard}, {"nll": hard + 0.1 + 0.2 * standardised(1)})["nll"]
    assert change.difference == pytest.approx(0.1, abs=1e-5)
    # the sampling distribution of a mean: 0.1 +- 1.96 * 0.2 / sqrt(256)
    assert (change.low, change.high) == (pytest.approx(0.0755, abs=0.002), pytest.approx(0.1245, abs=0.002))
    assert change.verdict == "worse"
    other_pairs = np.roll(hard, 1) + 0.1 + 0.2 * standardised(1)
    assert compare_by_hand({"nll": hard}, {"nll": other_pairs})["nll"].verdict == "unchanged"


def with_z(z, seed):
    """A change of the NLL, large enough to matter, whose mean lies `z` standard errors from 0."""
    return 16 * standardised(seed) + z


def test_the_p_value_is_that_of_a_two_sided_test():
    change = compare_by_hand({"nll": 0.0}, {"nll": with_z(2.0, 5)})["nll"]
    assert change.p_value == pytest.approx(0.0455, abs=0.012)
    change = compare_by_hand({"nll": 0.0}, {"nll": with_z(-2.0, 5)})["nll"]
    assert change.p_value == pytest.approx(0.0455, abs=0.012)


def test_what_one_measure_may_say_a_dozen_may_not():
    moved, still = with_z(2.3, 5), dict.fromkeys(set(DIRECTIONS) - {"nll"}, 0.5)
    alone = compare_by_hand({"nll": 0.0}, {"nll": moved})["nll"]
    among = compare_by_hand({"nll": 0.0, **still}, {"nll": moved, **still})["nll"]
    assert alone.p_value == among.p_value
    assert (alone.verdict, among.verdict) == ("worse", "unchanged")


def test_a_significant_measure_leaves_more_for_the_next():
    # Holm: the larger of two p-values is held against 0.05, not 0.025
    doubtful, clear = with_z(2.1, 5), 1.0
    second = compare_by_hand({"nll": 0.0, "nll_gap": 0.0}, {"nll": doubtful, "nll_gap": clear})["nll"]
    assert 0.025 < second.p_value < 0.05
    assert second.verdict == "worse"
    second = compare_by_hand({"nll": 0.0, "nll_gap": 0.0}, {"nll": doubtful, "nll_gap": 0.0})["nll"]
    assert second.verdict == "unchanged"


def test_noise_about_a_perfect_baseline_is_not_drift():
    # |drift| of any resample is above the 0 of the baseline; the drift itself is as often below as above
    noise = 16 * standardised(7) + 0.03
    change = compare_by_hand({"drift_first": 0.0}, {"drift_first": noise})["drift_first"]
    assert change.difference > DIRECTIONS["drift_first"].smallest
    assert change.verdict == "unchanged"


def result(name, status):
    return CheckResult(
        check=name, family="data", status=status, detail=f"{name} {status}", seed=0, repro="", seconds=0.0
    )


@pytest.mark.parametrize(
    ("old", "new", "verdict", "exit_code"),
    [
        ("passed", "passed", "unchanged", 0),
        ("passed", "failed", "newly failed", 1),
        ("skipped", "failed", "newly failed", 1),
        ("error", "failed", "newly failed", 1),
        ("failed", "failed", "unchanged", 0),
        ("failed", "passed", "no longer fails", 0),
        ("passed", "skipped", "unanswered", 3),
        ("failed", "skipped", "unanswered", 3),
        ("skipped", "skipped", "unchanged", 0),
        ("skipped", "passed", "changed", 0),
        ("passed", "error", "unanswered", 3),
        ("error", "error", "unanswered", 3),
        ("error", "passed", "changed", 0),
        (None, "failed", "new check", 0),
        (None, "error", "unanswered", 3),
        ("passed", None, "unanswered", 3),
    ],
)
def test_what_becomes_of_a_check(old, new, verdict, exit_code):
    before = [result("asked", old)] if old else []
    after = [result("asked", new)] if new else []
    comparison = compare(to_baseline(by_hand(before, nll=1.0), PLAN), by_hand(after, nll=1.0))
    (change,) = comparison.checks
    assert (change.old, change.new, change.verdict) == (old, new, verdict)
    assert comparison.exit_code == exit_code


def test_without_measures_the_checks_are_compared_and_something_is_unanswered():
    before = to_baseline(by_hand([result("one", "passed")], nll=1.0), PLAN)
    comparison = compare_checks(before, "new", [result("one", "passed")], "Nothing was measured: why.")
    assert [change.verdict for change in comparison.checks] == ["unchanged"]
    assert (comparison.measures, comparison.unmeasured) == ((), "Nothing was measured: why.")
    assert (comparison.old_subject, comparison.new_subject, comparison.exit_code) == ("by hand", "new", 3)
    assert compare_checks(before, "new", [result("one", "failed")], "Why.").exit_code == 1


def test_a_finding_outranks_a_gap():
    before = [result("one", "passed"), result("two", "passed")]
    after = [result("one", "error"), result("two", "failed")]
    assert compare(to_baseline(by_hand(before, nll=1.0), PLAN), by_hand(after, nll=1.0)).exit_code == 1


def test_another_process_other_pairs_or_other_measures_are_refused(oracle):
    baseline = to_baseline(oracle, PLAN)
    require_same_process(baseline, PROCESS)
    with pytest.raises(BaselineError, match=r"the process of the baseline, noise_scale 0\.1; got 0\.2"):
        compare(baseline, replace(oracle, process=PairProcess(num_points=16, noise_scale=0.2)))
    with pytest.raises(BaselineError, match=r"got other pairs .*numpy"):
        compare(baseline, replace(oracle, mean_y=oracle.mean_y[::-1]))
    with pytest.raises(BaselineError, match="nll_first differ"):
        compare(baseline, replace(oracle, statistics=oracle.statistics[:-1]))
