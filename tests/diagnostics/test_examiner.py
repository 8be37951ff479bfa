import pickle

import pytest

from attn.processes import PairProcess
from diagnostics.ask import SubjectError
from diagnostics.examiner import Examiner, Introduction, Setup, Shared
from diagnostics.regression.baseline import Plan

SUBJECTS = """
from dataclasses import dataclass
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

@dataclass(frozen=True)
class Own(PairProcess):
    num_points: int = 7

def own():
    return OracleSubject(Own(), "own\\nprocess")

class Nameless(OracleSubject):
    pass

def nameless():
    return Nameless(Own(), 3)
"""
S = "examined_subjects"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / f"{S}.py").write_text(SUBJECTS)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def examiner():
    return Examiner(f"{S}:own")


def test_a_subject_is_introduced_by_its_name_and_the_length_of_its_series(examiner):
    assert examiner.introduce() == Introduction(name="own process", num_points=7)
    with pytest.raises(SubjectError, match="name of a subject must be text"):
        Examiner(f"{S}:nameless").introduce()


def test_a_process_of_a_class_of_its_own_is_carried_over_as_json(examiner):
    carried = Shared.model_validate_json(examiner.process().model_dump_json())
    assert type(pickle.loads(carried.pickled)).__name__ == "Own"


def test_one_setup_is_prepared_once_and_every_question_may_bring_another(examiner):
    one = pickle.dumps(Setup(num_pairs=4))
    examiner.prepare(one)
    prepared = examiner._battery[1]
    assert examiner.check(one, "pairs_are_independent").status in ("passed", "failed")
    assert examiner._battery[1] is prepared
    assert prepared.scenario.process.num_points == 7
    other = pickle.dumps(Setup(num_pairs=4, source=pickle.dumps(PairProcess(num_points=5))))
    examiner.check(other, "pairs_are_independent")
    assert examiner._battery[1].scenario.process.num_points == 5


def test_a_setup_that_does_not_fit_is_refused(examiner):
    with pytest.raises(ValueError, match="expected failures must name checks of the battery; got nothing"):
        examiner.prepare(pickle.dumps(Setup(expected_failures={"nothing": "?"})))


def test_a_plan_must_fit_the_process(examiner):
    assert examiner.fit(Plan(seed=0, num_pairs=32, num_context=6), None).name == "own process"
    with pytest.raises(ValueError, match="num_context must be between 1 and 6"):
        examiner.fit(Plan(seed=0, num_pairs=32, num_context=7), None)
