"""Data: pairs that are not what their process says."""

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attn.processes import PairProcess
from attn.types import Pairs
from diagnostics.faults.injection import InjectedSubject, injection
from diagnostics.faults.trained import shared_run
from diagnostics.subject import Subject


def _on(process: PairProcess) -> Subject:
    subject = InjectedSubject(shared_run("sound"), ())
    subject.process = process
    return subject


def _like(kind: type[PairProcess], **changes: Any) -> PairProcess:
    process = shared_run("sound").process
    assert process is not None
    return kind(**asdict(process), **changes)


@dataclass(frozen=True)
class _SharedDraws(PairProcess):
    """The rows of a `share` of the set are made from one vector of normal numbers."""

    share: float = 1.0

    def sample(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        pairs = super().sample(num_pairs, rng)
        shared = rng.standard_normal(pairs.num_points)
        y = np.einsum("bij,j->bi", np.linalg.cholesky(self.covariance(pairs.x, pairs.series)), shared)
        is_shared = np.arange(num_pairs) < self.share * num_pairs
        return replace(pairs, y=np.where(is_shared[:, None], y, pairs.y))


@injection(41, "shared_draws", (1.0, 0.5))
def shared_draws(severity: float) -> Subject:
    """The sampler starts from the same seed for every row, in that share of the rows."""
    return _on(_like(_SharedDraws, share=severity))


@dataclass(frozen=True)
class _SharedNoise(PairProcess):
    """One vector of observation noise for all rows."""

    def sample(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        pairs = replace(self, noise_scale=0.0).draw(num_pairs, rng)
        return replace(pairs, y=pairs.y + self.noise_scale * rng.standard_normal(pairs.num_points))

    def draw(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        return super().sample(num_pairs, rng)


@injection(42, "shared_noise")
def shared_noise(severity: float) -> Subject:
    """The noise was drawn once, and added to every row."""
    return _on(_like(_SharedNoise))


@dataclass(frozen=True)
class _SwappedArrays(PairProcess):
    """Pairs that went through a folder with one file an array, read back in the order of their names."""

    def sample(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        pairs = super().sample(num_pairs, rng)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "values.npy", pairs.y)
            np.save(Path(folder) / "xs.npy", pairs.x)
            x, y = (np.load(path) for path in sorted(Path(folder).iterdir()))
        return replace(pairs, x=x, y=y)


@injection(43, "arrays_swapped")
def arrays_swapped(severity: float) -> Subject:
    """Arrays are read in the order of the directory: x and y changed places."""
    return _on(_like(_SwappedArrays))
