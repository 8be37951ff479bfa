"""Healthy subjects that differ in everything that should not matter: what no check may flag.

Variant i is a function of i alone.  Four kinds take turns: the exact posterior of some process, an untrained
transformer, an untrained decoder with all traits mended, and a trained model under another seed, number of
pairs, of points and of observed points.  A third of them are asked in float32.

An untrained smoother is not among them.  Its heads start as kernels, so that it explains enough to be judged
as one that has learnt, with scales that nobody has trained: that it is too sure of itself is no false alarm.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attn.models import ModelConfig, build_model
from attn.processes import PairProcess
from attn.runs import Run
from attn.types import Pairs
from diagnostics.adapters import OracleSubject
from diagnostics.faults.trained import DECODER, TRANSFORMER, shared_run
from diagnostics.run_subject import AttnSubject, TrainedSubject
from diagnostics.subject import Subject

KINDS = ("oracle", "untrained_transformer", "untrained_decoder", "trained")
SOUND = ("sound", "sound_smoother", "sound_wide", "sound_one_head", "sound_other_process")
NUM_PAIRS = (32, 48, 64)


@dataclass(frozen=True, eq=False)
class Variant:
    """A healthy subject and how it is asked."""

    name: str
    subject: Subject
    process: PairProcess
    seed: int
    num_pairs: int
    num_context: int


def healthy_variant(index: int) -> Variant:
    """Variant `index`, the same at every call."""
    rng = np.random.default_rng([index, 11])
    kind = KINDS[index % len(KINDS)]
    process = _any_process(rng)
    subject: Subject
    if kind == "oracle":
        subject = OracleSubject(process)
    elif kind == "trained":
        run = shared_run(SOUND[index // len(KINDS) % len(SOUND)])
        assert run.process is not None
        subject = TrainedSubject(run)
        process = replace(run.process, num_points=run.process.num_points + int(rng.integers(-3, 4)))
    else:
        subject = _untrained(kind, int(rng.integers(2**31)), rng)
    num_context = int(rng.integers(4, 7)) if kind == "trained" else int(rng.integers(3, 8))
    name = f"{index:03d} {kind}"
    if index % 3 == 0:
        process, name = _Float32Process(**asdict(process)), f"{name} in float32"
    num_pairs = 64 if kind == "trained" else int(rng.choice(NUM_PAIRS))
    return Variant(name, subject, process, index, num_pairs, num_context)


def _any_process(rng: np.random.Generator) -> PairProcess:
    return PairProcess(
        kernel=str(rng.choice(["rbf", "matern", "periodic"])),
        shift=str(rng.choice(["const", "rbf"])),
        length_scale=float(rng.uniform(0.7, 2.0)),
        shift_scale=float(rng.uniform(0.7, 2.5)),
        noise_scale=float(rng.uniform(0.05, 0.3)),
        num_points=int(rng.integers(14, 25)),
    )


def _untrained(kind: str, seed: int, rng: np.random.Generator) -> AttnSubject:
    num_heads = int(rng.choice([1, 2, 4]))
    width = num_heads * int(rng.choice([4, 8, 12]))
    config: ModelConfig
    if kind == "untrained_transformer":
        config = replace(
            TRANSFORMER,
            width=width,
            num_heads=num_heads,
            num_layers=int(rng.integers(1, 4)),
            hidden_dim=int(rng.choice([16, 48])),
        )
    else:
        config = replace(
            DECODER,
            width=width,
            num_heads=num_heads,
            layer_dims=(width, 16, 8),
            # the table has 220 rows: narrower bins would end below x = 15
            bin_width=rng.uniform(0.08, 0.4),
        )
    spec: dict[str, Any] = {"schema_version": 1, "model": asdict(config), "training": {}, "process": None}
    return AttnSubject(Run("untrained", Path("untrained"), spec, [], build_model(config, seed), None))


@dataclass(frozen=True)
class _Float32Process(PairProcess):
    """The same pairs, handed over in float32."""

    def sample(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        pairs = super().sample(num_pairs, rng)
        return replace(pairs, x=pairs.x.astype(np.float32), y=pairs.y.astype(np.float32))
