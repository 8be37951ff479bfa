import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from attn.models import HistoricConfig
from attn.processes import PairProcess
from attn.stream import Stream
from attn.train import TrainConfig, train
from attn.types import Prediction
from diagnostics import adapters
from diagnostics.adapters import AttnSubject, OracleSubject, TrainedSubject, load_subject, of_run
from diagnostics.ask import SubjectError
from diagnostics.check import build_scenario
from diagnostics.reference import gaussian_nll, gp_conditional
from diagnostics.subject import OPTIONAL, Subject, offers

PROCESS = PairProcess(num_points=8)
BATCH = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=3).forecast
ORACLE = OracleSubject(PROCESS)


def test_the_oracle_is_a_subject_with_all_that_a_gp_can_offer():
    assert isinstance(ORACLE, Subject)
    offered = {capability for capability in OPTIONAL if offers(ORACLE, capability)}
    assert offered == {"rollout", "loss", "score", "reload", "process"}


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


SMALL = HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4), num_rows=300)
QUICK = TrainConfig(
    regime="mixed", num_context=2, num_epochs=2, steps_per_epoch=2, batch_size=4, num_test_pairs=6, seed=3
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "small", SMALL, QUICK, PROCESS)


def same(one, other):
    return all(
        np.array_equal(getattr(one, f), getattr(other, f)) for f in ("x", "series", "y", "num_context")
    )


def test_a_run_that_knows_its_process_offers_everything(trained):
    subject = of_run(trained)
    assert isinstance(subject, TrainedSubject)
    assert {capability for capability in OPTIONAL if offers(subject, capability)} == set(OPTIONAL)
    assert subject.process == PROCESS
    assert isinstance(subject.reload(), TrainedSubject)


def test_the_record_is_the_last_test_loss_and_is_reproduced_from_the_files(trained):
    subject = load_subject(str(trained.directory))
    record = subject.record()
    assert record.loss == trained.history[-1]["test_loss"] != trained.history[0]["test_loss"]
    assert same(record.batch, Stream(PROCESS, "mixed", 2, 4, seed=3).test(6))
    # one compiled pass over the same numbers in float32
    assert subject.loss(record.batch) == pytest.approx(record.loss, rel=1e-6)


def test_in_overfit_mode_the_record_is_of_the_batch_that_was_learnt_by_heart(trained):
    spec = {**trained.spec, "training": {**trained.spec["training"], "overfit": True}}
    record = of_run(replace(trained, spec=spec)).record()
    assert same(record.batch, Stream(PROCESS, "mixed", 2, 4, seed=3).batch(0))


def test_training_batches_are_fresh_draws_in_the_order_of_the_training(trained):
    subject = of_run(trained)
    batches = subject.training_batches(3, np.random.default_rng(0))
    assert [batch.num_pairs for batch in batches] == [QUICK.batch_size] * 3
    again = subject.training_batches(3, np.random.default_rng(0))
    assert all(same(one, other) for one, other in zip(batches, again, strict=True))
    others = subject.training_batches(3, np.random.default_rng(1))
    seen = [Stream(PROCESS, "mixed", 2, 4, seed=3).batch(step) for step in range(4)]
    fresh = [*batches, *others]
    assert not any(same(one, other) for one in fresh for other in [*fresh, *seen] if one is not other)
    # `mixed` observes 2 or more points, `forecast` at least 2 beside the 8 of A: both stand in the batches
    num_context = np.concatenate([batch.num_context for batch in fresh])
    assert num_context.min() < 8 < num_context.max()


def test_a_run_without_process_offers_neither_record_nor_training_batches(trained):
    subject = of_run(replace(trained, process=None, spec={**trained.spec, "process": None}))
    assert type(subject) is AttnSubject
    assert {capability for capability in OPTIONAL if not offers(subject, capability)} == {
        "training_batches",
        "record",
        "process",
    }
    assert subject.reload().teacher_force(BATCH).mean[BATCH.is_target] == pytest.approx(
        subject.teacher_force(BATCH).mean[BATCH.is_target], abs=1e-6
    )


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
