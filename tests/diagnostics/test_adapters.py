import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics import adapters
from diagnostics.adapters import OracleSubject, load_subject
from diagnostics.ask import SubjectError
from diagnostics.check import build_scenario
from diagnostics.reference import gaussian_nll, gp_conditional
from diagnostics.subject import OPTIONAL, is_subject, offers

PROCESS = PairProcess(num_points=8)
BATCH = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=3).forecast
ORACLE = OracleSubject(PROCESS)


def test_the_oracle_is_a_subject_with_all_that_a_gp_can_offer():
    assert is_subject(ORACLE)
    offered = {capability for capability in OPTIONAL if offers(ORACLE, capability)}
    assert offered == {"rollout", "loss", "score", "reload", "process"}


class PassedOn:
    """A subject that is wrapped without a word about what it offers."""

    def __init__(self, subject):
        self._subject = subject

    def __getattr__(self, name):
        return getattr(self._subject, name)


def test_what_a_wrapper_passes_on_is_offered():
    wrapped = PassedOn(ORACLE)
    assert is_subject(wrapped)
    assert [name for name in OPTIONAL if offers(wrapped, name)] == [
        name for name in OPTIONAL if offers(ORACLE, name)
    ]


@pytest.mark.parametrize("missing", ["name", "teacher_force", "predict_next"])
def test_without_one_of_what_is_required_it_is_no_subject(missing):
    required = {"name": "s", "teacher_force": print, "predict_next": print}
    assert is_subject(SimpleNamespace(**required))
    required.pop(missing)
    assert not is_subject(SimpleNamespace(**required))


def test_the_score_of_the_oracle_is_the_mean_squared_error_over_all_targets():
    off_by = np.where(BATCH.is_target, np.cumsum(BATCH.is_target, axis=1), np.nan)
    prediction = Prediction(BATCH.y + off_by, off_by)
    num_targets = int(BATCH.is_target[0].sum())  # as many in every row: the errors are 1, 2, 3, ...
    assert ORACLE.score(BATCH, prediction) == pytest.approx(np.mean(np.arange(1, num_targets + 1) ** 2))


def test_the_oracle_predicts_by_the_slow_reference():
    slow = gp_conditional(PROCESS, BATCH)
    np.testing.assert_allclose(ORACLE.teacher_force(BATCH).mean, slow.mean, atol=1e-7)
    step = ORACLE.predict_next(BATCH.first(12), BATCH.x[:, 12], BATCH.series[:, 12])
    np.testing.assert_allclose(step.mean[:, 0], slow.mean[:, 12], atol=1e-7)
    np.testing.assert_allclose(step.scale[:, 0], slow.scale[:, 12], atol=1e-7)
    loss = np.mean(
        [
            gaussian_nll(*each)
            for each in zip(
                BATCH.y[BATCH.is_target], slow.mean[BATCH.is_target], slow.scale[BATCH.is_target], strict=True
            )
        ]
    )
    assert ORACLE.loss(BATCH) == pytest.approx(loss)


def test_the_oracle_fed_its_means_repeats_what_it_would_say_step_by_step():
    rollout = ORACLE.rollout(replace(BATCH, y=np.where(BATCH.is_target, np.nan, BATCH.y)), 2, None, "mean")
    fed = replace(BATCH, y=rollout.samples[0])
    again = ORACLE.teacher_force(fed)
    np.testing.assert_allclose(rollout.mean[1][BATCH.is_target], again.mean[BATCH.is_target], atol=1e-9)
    np.testing.assert_allclose(rollout.scale[0][BATCH.is_target], again.scale[BATCH.is_target], atol=1e-9)


def test_the_oracle_reloads_itself():
    assert ORACLE.reload().process == PROCESS


def test_a_factory_a_class_and_a_subject_can_be_named(tmp_path, monkeypatch):
    (tmp_path / "my_subjects.py").write_text(
        "from attn.processes import PairProcess\n"
        "from diagnostics.adapters import OracleSubject\n"
        "def make():\n    return OracleSubject(PairProcess(), 'made')\n"
        "ready = OracleSubject(PairProcess(), 'ready')\n"
        "number = 3\n"
        "def empty():\n    return object()\n"
        "def failing():\n    raise OSError('no disk')\n"
        "def leaving():\n    raise SystemExit(0)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    assert load_subject("my_subjects:make").name == "made"
    assert load_subject("my_subjects:ready").name == "ready"
    for spec, sentence in {
        "my_subjects:empty": "subject must have name, teacher_force and predict_next; got object",
        "my_subjects:failing": r"imported and called; got 'my_subjects:failing' \(OSError: no disk\)",
        "my_subjects:leaving": r"imported and called; got 'my_subjects:leaving' \(SystemExit: 0\)",
        "my_subjects:number": "TypeError",
        "my_subjects:missing": "AttributeError",
        "no_such_module:make": r"ModuleNotFoundError: No module named 'no_such_module'",
    }.items():
        with pytest.raises(SubjectError, match=sentence) as caught:
            load_subject(spec)
        assert "\n" not in str(caught.value)


def test_a_run_that_cannot_be_loaded_is_one_sentence(monkeypatch):
    def refuse(spec):
        raise adapters.RunError(f"run must exist; got {spec!r}")

    monkeypatch.setattr(adapters, "find_run", refuse)
    with pytest.raises(SubjectError, match="run must exist; got 'nowhere'"):
        load_subject("nowhere")


class BrokenTextError(BaseException):
    def __str__(self):
        raise RuntimeError("no text either")


def test_whatever_a_factory_raises_is_one_sentence(monkeypatch):
    def factory():
        raise BrokenTextError

    module = ModuleType("a_hostile_module")
    module.make = factory
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(SubjectError, match=r"BrokenTextError: a message that cannot be read"):
        load_subject("a_hostile_module:make")
