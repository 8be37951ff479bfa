import numpy as np
import pytest

from diagnostics.ask import SubjectError
from diagnostics.investigate import investigate, num_steps

SUBJECTS = """
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

def oracle():
    return OracleSubject(PairProcess(num_points=10))

def homeless():
    subject = OracleSubject(PairProcess(num_points=10), "homeless")
    oracle, subject.process = subject.process, None
    subject.teacher_force = OracleSubject(oracle).teacher_force
    subject.predict_next = OracleSubject(oracle).predict_next
    subject.rollout = OracleSubject(oracle).rollout
    subject.loss = subject.reload = None
    return subject

class Small(OracleSubject):
    def teacher_force(self, batch):
        if batch.num_pairs == 66:
            raise MemoryError("66 pairs are too many")
        return super().teacher_force(batch)

def small():
    return Small(PairProcess(num_points=10), "small")

class Limited(OracleSubject):
    def teacher_force(self, batch):
        if batch.num_pairs > 66:
            raise RuntimeError("these pairs are too many")
        return super().teacher_force(batch)

def limited():
    return Limited(PairProcess(num_points=10), "limited")
"""
S = "investigated_subjects"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, in_this_process):
    (tmp_path / f"{S}.py").write_text(SUBJECTS)
    monkeypatch.syspath_prepend(str(tmp_path))


def examine(*names, **options):
    sizes = {"seed": 0, "num_pairs": 66, "num_context": 3} | options
    return investigate([f"{S}:{name}" for name in names], **sizes)


def values(report):
    return {measure.name: measure.value for measure in report.symptoms[0].measures}


def test_what_has_no_process_is_asked_about_the_pairs_of_the_other_and_every_step_is_told():
    steps = []
    homeless, oracle = examine("homeless", "oracle", on_step=steps.append)
    assert values(homeless) == pytest.approx(values(oracle))
    (alone,) = examine("oracle")
    assert values(alone) == values(oracle)
    assert len(steps) + 1 == num_steps(2)
    assert steps.count("oracle: the symptom") == steps.count("homeless: where the error comes from") == 1


def test_a_process_is_needed():
    with pytest.raises(SubjectError, match="must have a process to draw pairs from; homeless has none"):
        examine("homeless")


@pytest.mark.parametrize("num_context", [0, 10])
def test_the_context_must_fit_the_process(num_context):
    with pytest.raises(ValueError, match=rf"num_context must be between 1 and 9 .*; got {num_context}"):
        examine("oracle", num_context=num_context)


def test_a_time_limit_must_be_positive():
    with pytest.raises(ValueError, match="time_limit must be above 0 s; got 0"):
        examine("oracle", time_limit=0)


def test_what_cannot_be_measured_is_said_and_costs_the_other_subject_nothing():
    small, oracle = examine("small", "oracle")
    why = "small: teacher_force must not raise; got MemoryError: 66 pairs are too many"
    assert small.unmeasured == (f"The symptom was not measured: {why}.",)
    assert (small.symptoms, small.attribution is None, small.count("error")) == ((), False, 0)
    assert small.is_broken
    assert (oracle.unmeasured, oracle.is_broken) == ((), False)
    assert np.isfinite(list(values(oracle).values())).all()


def test_what_fails_after_the_symptom_is_said_beside_it(monkeypatch):
    def refuse(**options):
        raise SubjectError("the subject is lost")

    monkeypatch.setattr("diagnostics.examiner.real_pair", refuse)
    (report,) = examine("limited")
    why = "limited: teacher_force must not raise; got RuntimeError: these pairs are too many"
    assert report.unmeasured == (
        "The real pair was not measured: the subject is lost.",
        f"Where the error comes from was not measured: {why}.",
    )
    assert report.attribution is None
    (symptom,) = report.symptoms
    assert symptom.remarks[-1] == "The real pair is not shown: the subject is lost."
