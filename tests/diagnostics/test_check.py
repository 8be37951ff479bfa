import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Pairs
from diagnostics.check import Finding, build_scenario, check


def test_check_takes_question_and_method_from_the_docstring():
    @check(family="masking", suspects=("future_leak",), needs=("rollout",))
    def sees_nothing(subject, scenario, rng):
        """Is nothing seen?

        By looking away.
        """
        return Finding("passed", str(subject))

    assert (sees_nothing.name, sees_nothing.family) == ("sees_nothing", "masking")
    assert (sees_nothing.question, sees_nothing.method) == ("Is nothing seen?", "By looking away.")
    assert sees_nothing("me", None, None).detail == "me"


@pytest.mark.parametrize(
    ("family", "needs", "doc", "rule"),
    [
        ("magic", (), "Is it?", "family must be one of position, masking.*got 'magic'"),
        ("masking", ("wings",), "Is it?", "needs must be among rollout.*got wings"),
        ("masking", (), "It is.", "must open with a question; got 'It is.'"),
    ],
)
def test_a_check_that_breaks_the_rules_cannot_be_made(family, needs, doc, rule):
    def function(subject, scenario, rng):
        return Finding("passed", "")

    function.__doc__ = doc
    with pytest.raises(ValueError, match=rule):
        check(family=family, suspects=(), needs=needs)(function)


def test_scenario_of_a_process_is_the_same_for_the_same_seed():
    process = PairProcess(num_points=50)
    one, two = (build_scenario(process, np.random.default_rng(3), num_pairs=4) for _ in range(2))
    np.testing.assert_array_equal(one.forecast.y, two.forecast.y)
    np.testing.assert_array_equal(one.shuffled.x, two.shuffled.x)
    assert one.num_context == 13
    assert set(one.forecast.num_context) == {63}
    assert set(one.shuffled.num_context) == {13}


def test_scenario_of_given_pairs_has_no_process_and_counts_the_shorter_series():
    pairs = PairProcess(num_points=12).sample(9, np.random.default_rng(0))
    valid = pairs.valid.copy()
    valid[:, -4:] = False  # series 1 keeps 8 points
    shortened = Pairs(pairs.x, pairs.series, pairs.y, valid)
    scenario = build_scenario(shortened, np.random.default_rng(0), num_pairs=5)
    assert scenario.process is None
    assert scenario.has_two_series
    assert (scenario.pairs.num_pairs, scenario.num_context) == (5, 2)
    whole = build_scenario(shortened, np.random.default_rng(0), num_pairs=50)
    assert whole.pairs.num_pairs == 9


def test_scenario_refuses_a_context_that_leaves_nothing():
    with pytest.raises(ValueError, match="num_context must be between 1 and 7"):
        build_scenario(PairProcess(num_points=8), np.random.default_rng(0), num_pairs=2, num_context=8)
