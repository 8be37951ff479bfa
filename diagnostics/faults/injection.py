"""How a fault is put into the project's own code path: parts of it are replaced while a subject is asked.

Nothing is mocked: the subject is a trained model of this package, and all of its code runs, with one
function replaced by a faulty one.  Where that function is one of those that TensorFlow traces, the model is
the subject's own and is traced inside the injection; else it is shared, with its sound traces.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from unittest.mock import patch

import numpy as np

from attn.runs import Run
from attn.types import Attention, Batch, Floats, Ints, Prediction, Rollout
from diagnostics.run_subject import TrainedSubject
from diagnostics.subject import Subject


@dataclass(frozen=True)
class Replacement:
    """`owner.name` becomes `by`: a module's function, or a method of a class."""

    owner: Any
    name: str
    by: Callable[..., Any]


@contextmanager
def replaced(replacements: tuple[Replacement, ...]) -> Iterator[None]:
    """Within it, all replacements are in force."""
    with ExitStack() as stack:
        for part in replacements:
            stack.enter_context(patch.object(part.owner, part.name, part.by))
        yield


class InjectedSubject(TrainedSubject):
    """A run whose code is faulty in the methods named `only`, or in all of them.

    The record is never touched: it says what the sound model reached.
    """

    def __init__(
        self, run: Run, replacements: tuple[Replacement, ...], only: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(run)
        self.replacements = replacements
        self.only = only

    def teacher_force(self, batch: Batch) -> Prediction:
        """As the sound subject, through the faulty code."""
        with self._faulty("teacher_force"):
            return super().teacher_force(batch)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """As the sound subject, through the faulty code."""
        with self._faulty("predict_next"):
            return super().predict_next(history, x_next, series_next)

    def rollout(
        self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        """As the sound subject, through the faulty code."""
        with self._faulty("rollout"):
            return super().rollout(batch, num_samples, rng, feed)

    def attention(self, batch: Batch) -> Attention:
        """As the sound subject, through the faulty code."""
        with self._faulty("attention"):
            return super().attention(batch)

    def loss(self, batch: Batch) -> float:
        """As the sound subject, through the faulty code."""
        with self._faulty("loss"):
            return super().loss(batch)

    def score(self, batch: Batch, prediction: Prediction) -> float:
        """As the sound subject, through the faulty code."""
        with self._faulty("score"):
            return super().score(batch, prediction)

    def training_batches(self, num_batches: int, rng: np.random.Generator) -> list[Batch]:
        """As the sound subject, through the faulty code."""
        with self._faulty("training_batches"):
            return super().training_batches(num_batches, rng)

    def reload(self) -> Self:
        """As the sound subject, through the faulty code, and as faulty as this one."""
        with self._faulty("reload"):
            restored = TrainedSubject(self.run).reload()
        return type(self)(restored.run, self.replacements, self.only)

    @contextmanager
    def _faulty(self, method: str) -> Iterator[None]:
        if self.only is not None and method not in self.only:
            yield
            return
        with replaced(self.replacements):
            yield


@dataclass(frozen=True)
class Injection:
    """A row of the catalogue that can be injected.

    row           its number in the catalogue             fault   its name in `causes.FAULTS`
    severities    the sizes that are tried, the full one first; (1.0,) where the fault has no size
    twin          the trained model that is the same but for the fault
    make          a new faulty subject of that severity
    """

    row: int
    fault: str
    summary: str
    severities: tuple[float, ...]
    twin: str
    make: Callable[[float], Subject]


def injection(
    row: int, fault: str, severities: tuple[float, ...] = (1.0,), twin: str = "sound"
) -> Callable[[Callable[[float], Subject]], Injection]:
    """Make an injection of a function of the severity; its docstring says what goes wrong."""

    def decorate(make: Callable[[float], Subject]) -> Injection:
        return Injection(row, fault, (make.__doc__ or "").strip(), severities, twin, make)

    return decorate
