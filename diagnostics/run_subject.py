"""Subjects of runs of this package; they need TensorFlow."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from attn import rollout as inference
from attn import scores
from attn.processes import PairProcess
from attn.runs import Run, load_run, save_weights, write_json
from attn.stream import Stream
from attn.trainer import TrainConfig
from attn.types import Attention, Batch, Floats, Ints, Prediction, Rollout
from diagnostics.subject import Record


class AttnSubject:
    """A run of this package."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.name = run.name

    def teacher_force(self, batch: Batch) -> Prediction:
        """One parallel pass, as in training."""
        return inference.teacher_force(self.run.model, batch)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """One step of inference."""
        return inference.predict_next(self.run.model, history, x_next, series_next)

    def rollout(
        self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        """Free running, as `attn infer` does it."""
        return inference.rollout(self.run.model, batch, num_samples, rng, feed)

    def attention(self, batch: Batch) -> Attention:
        """The weights of every layer and head."""
        return inference.attention(self.run.model, batch)

    def loss(self, batch: Batch) -> float:
        """What training minimises, with dropout off."""
        return inference.loss(self.run.model, batch)

    def score(self, batch: Batch, prediction: Prediction) -> float:
        """The mean squared error, as training reports it."""
        return scores.score(batch, prediction, is_density=False).mse

    def reload(self) -> Self:
        """Save the model, and restore it as anyone would who has only the files."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.run.directory.name
            copy.mkdir()
            write_json(copy / "spec.json", self.run.spec)
            save_weights(self.run.model, copy / "weights.safetensors")
            restored = load_run(copy)
        return type(self)(replace(restored, directory=self.run.directory))


class TrainedSubject(AttnSubject):
    """A run that was trained on draws of a process: it has an oracle, its training order and its record."""

    process: PairProcess

    def __init__(self, run: Run) -> None:
        assert run.process is not None
        super().__init__(run)
        self.process = run.process

    def training_batches(self, num_batches: int, rng: np.random.Generator) -> list[Batch]:
        """Fresh draws of the process in the arrangement of the training."""
        stream = self._stream(seed=int(rng.integers(2**31)))
        return [stream.batch(step) for step in range(num_batches)]

    def record(self) -> Record:
        """The test loss of the last epoch, and the pairs that it was measured on."""
        config = TrainConfig(**self.run.spec["training"])
        stream = self._stream(config.seed)
        batch = stream.batch(0) if config.overfit else stream.test(config.num_test_pairs)
        return Record(batch, self.run.history[-1]["test_loss"])

    def _stream(self, seed: int) -> Stream:
        assert self.run.process is not None
        config = TrainConfig(**self.run.spec["training"])
        return Stream(
            self.run.process, config.regime, config.num_context, config.batch_size, seed, config.overfit
        )


def of_run(run: Run) -> AttnSubject:
    """The subject of a run; with its oracle where the run knows its process."""
    return AttnSubject(run) if run.process is None else TrainedSubject(run)
