"""The adapter: what a model must offer to be diagnosed.  No base class; numpy in, numpy out.

Required: `name`, `teacher_force`, `predict_next`.  The optional protocols below are found by the presence
of their method; a check that needs one which is missing is skipped, with that reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np

from attn.processes import PairProcess
from attn.types import Attention, Batch, Floats, Ints, Prediction, Rollout


@runtime_checkable
class Subject(Protocol):
    """A model under diagnosis."""

    name: str

    def teacher_force(self, batch: Batch) -> Prediction:
        """The path used in training: every target given the true points before it; mean and scale [B,L]."""
        ...

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The path used at inference, one step: x_next, series_next [B] -> mean and scale [B,1].

        Position t of `history` is the t-th point seen; those from `num_context` on were fed back.
        """
        ...


class HasRollout(Protocol):
    """Writes whole trajectories by itself; `feed` is `sample` or `mean`."""

    def rollout(self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str) -> Rollout:
        """S trajectories of every row; the y of targets is not read."""
        ...


class HasAttention(Protocol):
    """Shows where each prediction looked."""

    def attention(self, batch: Batch) -> Attention:
        """The weights of every layer and head."""
        ...


class HasLoss(Protocol):
    """The loss that training minimises, one number for the batch."""

    def loss(self, batch: Batch) -> float:
        """The loss of a batch, with whatever is random in training off."""
        ...


class HasReload(Protocol):
    """Saves, loads, and returns the restored subject."""

    def reload(self) -> Subject:
        """The subject after a round through its files."""
        ...


class HasTrainingBatches(Protocol):
    """Batches as training sees them."""

    def training_batches(self, num_batches: int, rng: np.random.Generator) -> Sequence[Batch]:
        """Fresh batches in the arrangement of the training."""
        ...


class HasScore(Protocol):
    """The metric by which training and evaluation are reported, higher or lower being better."""

    def score(self, batch: Batch, prediction: Prediction) -> float:
        """The metric of a prediction for the targets of a batch."""
        ...


@dataclass(frozen=True, eq=False)
class Record:
    """What training wrote down at its end: the loss, and the held-out batch that it was measured on."""

    batch: Batch
    loss: float


class HasRecord(Protocol):
    """Knows how good it was when it was saved."""

    def record(self) -> Record:
        """The last loss that training recorded."""
        ...


class HasProcess(Protocol):
    """Knows the process that its data come from: then there is an oracle."""

    process: PairProcess


OPTIONAL: dict[str, type] = {
    "rollout": HasRollout,
    "attention": HasAttention,
    "loss": HasLoss,
    "reload": HasReload,
    "training_batches": HasTrainingBatches,
    "score": HasScore,
    "record": HasRecord,
    "process": HasProcess,
}


def is_subject(value: object) -> TypeGuard[Subject]:
    """Whether it has what every subject must have, its own or passed on by `__getattr__`.

    `isinstance` with a protocol does not see what is passed on, from Python 3.12 on.
    """
    return all(hasattr(value, required) for required in ("name", "teacher_force", "predict_next"))


def offers(subject: Subject, capability: str) -> bool:
    """Whether the subject has that capability, a key of OPTIONAL; one that is None does not count."""
    return getattr(subject, capability, None) is not None
