"""The compiled step: traced once, whatever the batches of a process hold."""

import numpy as np
import pytest

from attn.arrange import REGIMES
from attn.models import HistoricConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.stream import Stream
from attn.trainer import TrainConfig, Trainer

CONFIGS = {
    "historic": HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4)),
    "pair_transformer": PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8),
}


def steps(trainer, regime, num_points=6, num_steps=4):
    stream = Stream(PairProcess(num_points=num_points), regime, 2, 3, seed=0)
    batches = [stream.batch(step) for step in range(num_steps)]
    assert all(np.isfinite(float(trainer.step(to_points(batch)))) for batch in batches)
    return batches


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_batches_of_every_regime_share_one_trace(kind):
    trainer = Trainer(build_model(CONFIGS[kind], 0), TrainConfig())
    counts = []
    for regime in REGIMES:
        counts += [tuple(batch.num_context) for batch in steps(trainer, regime)]
        assert trainer.step.experimental_get_tracing_count() == 1
    assert len(set(counts)) > 3  # batches that differ in what is observed, and not in shape


def test_another_size_is_another_trace():
    trainer = Trainer(build_model(CONFIGS["historic"], 0), TrainConfig())
    steps(trainer, "shuffle")
    steps(trainer, "shuffle", num_points=7)
    assert trainer.step.experimental_get_tracing_count() == 2
