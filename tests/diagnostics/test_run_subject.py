from dataclasses import replace

import numpy as np
import pytest

from attn.models import HistoricConfig
from attn.processes import PairProcess
from attn.stream import Stream
from attn.train import TrainConfig, train
from diagnostics.adapters import load_subject
from diagnostics.check import build_scenario
from diagnostics.run_subject import AttnSubject, TrainedSubject, of_run
from diagnostics.subject import OPTIONAL, offers

PROCESS = PairProcess(num_points=8)
BATCH = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=3).forecast
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
