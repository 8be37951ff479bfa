import pytest

from diagnostics.apart import UnansweredError
from diagnostics.ask import SubjectError
from diagnostics.checks import CHECKS
from diagnostics.isolated import Isolated
from diagnostics.regression.baseline import Plan
from diagnostics.remeasure import compare_with_baseline, measure_baseline

SUBJECT = """
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

def oracle():
    return OracleSubject(PairProcess(num_points=8))
"""
SPEC = "remeasured_subject:oracle"
PLAN = Plan(seed=0, num_pairs=32, num_context=2, num_check_pairs=8)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, in_this_process):
    (tmp_path / "remeasured_subject.py").write_text(SUBJECT)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def lose(monkeypatch):
    """Let whatever is measured from now on have no answer, because the process is lost or refuses."""

    def set_up(*, is_lost):
        def measure(self, *question, time_limit):
            raise UnansweredError("the subject ended the process (exit code 7)", is_lost=is_lost)

        monkeypatch.setattr(Isolated, "measure", measure)

    return set_up


def test_a_subject_beside_its_own_baseline_is_unchanged_and_every_step_is_told():
    steps = []
    kept = measure_baseline(SPEC, PLAN, on_step=steps.append)
    assert steps == [*(check.name for check in CHECKS), "the measures"]
    comparison = compare_with_baseline(kept, SPEC, on_step=steps.append)
    assert len(steps) == 2 * (len(CHECKS) + 1)
    assert {change.verdict for change in comparison.measures} == {"unchanged", "undirected"}
    assert (comparison.exit_code, comparison.unmeasured) == (0, None)


def test_where_the_process_is_lost_the_checks_are_compared_and_a_refusal_is_passed_on(lose):
    kept = measure_baseline(SPEC, PLAN)
    lose(is_lost=True)
    comparison = compare_with_baseline(kept, SPEC)
    assert comparison.unmeasured == "Nothing was measured: the subject ended the process (exit code 7)."
    assert {change.verdict for change in comparison.checks} == {"unchanged"}
    assert (comparison.measures, comparison.exit_code) == ((), 3)
    lose(is_lost=False)
    with pytest.raises(UnansweredError):
        compare_with_baseline(kept, SPEC)


def test_no_baseline_is_made_of_a_subject_that_cannot_be_measured(lose):
    lose(is_lost=True)
    with pytest.raises(SubjectError, match="must hold measures; got none of oracle: the subject ended the"):
        measure_baseline(SPEC, PLAN)
