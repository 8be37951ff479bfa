"""Guarded calls: every answer of a subject is verified before anything is concluded from it.

A subject is other people's code.  What it raises, and what it returns in a wrong shape, becomes a
SubjectError of one sentence: the rule, then what was received.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from attn.types import Attention, Batch, Bools, Floats, Ints, Prediction, Rollout
from diagnostics import reference
from diagnostics.measures import target_columns
from diagnostics.sentences import said
from diagnostics.subject import (
    Record,
    Subject,
    is_subject,
    offers,
)

Answer = TypeVar("Answer")


class SubjectError(ValueError):
    """A subject that cannot be asked: its call failed, or its answer breaks the adapter protocol."""


class NotFiniteError(SubjectError):
    """An answer of the right form with a value that is not finite where a prediction is due."""


def ask_teacher_force(subject: Subject, batch: Batch) -> Prediction:
    """`subject.teacher_force(batch)`, verified: [B,L], finite at every target, scale not negative."""
    prediction = _call(subject, "teacher_force", Prediction, batch)
    _require_shape(subject, "teacher_force", "mean", prediction.mean, batch.x.shape)
    _require_finite(subject, "teacher_force", prediction.mean, batch.is_target)
    _require_finite(subject, "teacher_force", prediction.scale, batch.is_target)
    return prediction


def ask_predict_next(subject: Subject, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
    """`subject.predict_next(...)`, verified: [B,1], finite, scale not negative."""
    prediction = _call(subject, "predict_next", Prediction, history, x_next, series_next)
    _require_shape(subject, "predict_next", "mean", prediction.mean, (history.num_pairs, 1))
    everywhere = np.ones(prediction.mean.shape, bool)
    _require_finite(subject, "predict_next", prediction.mean, everywhere)
    _require_finite(subject, "predict_next", prediction.scale, everywhere)
    return prediction


def ask_column(subject: Subject, batch: Batch, column: int) -> Prediction:
    """`predict_next` for one column of `batch`, with the columns before it as the history."""
    x_next = np.where(batch.valid[:, column], batch.x[:, column], 0.0)
    return ask_predict_next(subject, batch.first(column), x_next, batch.series[:, column])


def ask_first(subject: Subject, batch: Batch) -> Prediction:
    """`predict_next` for the first target of every row [B,1], NaN in a row without one.

    Rows that observe equally many points are asked about together.
    """
    columns = target_columns(batch)
    mean, scale = np.full((2, batch.num_pairs, 1), np.nan)
    for column in np.unique(columns[columns < batch.num_points]):
        rows = columns == column
        step = ask_column(subject, batch.rows(rows), int(column))
        mean[rows], scale[rows] = step.mean, step.scale
    return Prediction(mean, scale)


def ask_rollout(
    subject: Subject, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
) -> Rollout:
    """`subject.rollout(...)`, verified: [S,B,L], finite at every target, scale not negative."""
    rollout = _call(subject, "rollout", Rollout, batch, num_samples, rng, feed)
    _require_shape(subject, "rollout", "samples", rollout.samples, (num_samples, *batch.x.shape))
    targets = np.broadcast_to(batch.is_target, rollout.samples.shape)
    for values in (rollout.samples, rollout.mean, rollout.scale):
        _require_finite(subject, "rollout", values, targets)
    if (rollout.scale[targets] < 0).any():
        raise SubjectError(
            f"{subject.name}: scale of rollout must not be negative; got {rollout.scale[targets].min():g}"
        )
    return rollout


def ask_free_run(
    subject: Subject, batch: Batch, rng: np.random.Generator, feed: str = "mean", num_samples: int = 1
) -> Rollout:
    """Free running: the subject's own rollout where it offers one, else step by step through predict_next."""
    if offers(subject, "rollout"):
        return ask_rollout(subject, batch, num_samples, rng, feed)

    def predict_next(history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        return ask_predict_next(subject, history, x_next, series_next)

    runs = [reference.roll_out_by_steps(predict_next, batch, rng, feed) for _ in range(num_samples)]
    return Rollout(*(np.concatenate([getattr(run, field) for run in runs]) for field in _ROLLOUT_FIELDS))


_ROLLOUT_FIELDS = ("samples", "mean", "scale")


def ask_attention(subject: Subject, batch: Batch) -> Attention:
    """`subject.attention(batch)`, verified: finite, not negative, and positions inside the batch."""
    attention = _call(subject, "attention", Attention, batch)
    if attention.weights.shape[1] != batch.num_pairs:
        raise SubjectError(
            f"{subject.name}: weights of attention must have {batch.num_pairs} pairs on their second axis;"
            f" got shape {attention.weights.shape}"
        )
    if 0 in attention.weights.shape:
        raise SubjectError(
            f"{subject.name}: attention must have at least one layer, head, query and key;"
            f" got weights of shape {attention.weights.shape}"
        )
    _require_finite(subject, "attention", attention.weights, np.ones(attention.weights.shape, bool))
    if (attention.weights < 0).any():
        raise SubjectError(
            f"{subject.name}: weights of attention must not be negative; got {attention.weights.min():g}"
        )
    for positions in (attention.query_positions, attention.key_positions):
        if not ((positions >= 0) & (positions < batch.num_points)).all():
            raise SubjectError(
                f"{subject.name}: positions of attention must be between 0 and {batch.num_points - 1};"
                f" got {positions.min()} to {positions.max()}"
            )
    return attention


def ask_loss(subject: Subject, batch: Batch) -> float:
    """`subject.loss(batch)`, verified: one finite number."""
    return _one_number(subject, "loss", _guarded(subject, "loss", batch))


def ask_reload(subject: Subject) -> Subject:
    """`subject.reload()`, verified: a subject again."""
    restored = _guarded(subject, "reload")
    if not is_subject(restored):
        raise SubjectError(f"{subject.name}: reload must return a Subject; got {_shown(restored)}")
    return restored


def ask_training_batches(subject: Subject, num_batches: int, rng: np.random.Generator) -> list[Batch]:
    """`subject.training_batches(...)`, verified: that many batches."""
    batches = _guarded(subject, "training_batches", num_batches, rng)
    is_right = isinstance(batches, Sequence) and len(batches) == num_batches
    if not is_right or not all(isinstance(batch, Batch) for batch in batches):
        raise SubjectError(
            f"{subject.name}: training_batches({num_batches}, rng) must be {num_batches} Batches;"
            f" got {_shown(batches)}"
        )
    return list(batches)


def ask_score(subject: Subject, batch: Batch, prediction: Prediction) -> float:
    """`subject.score(...)`, verified: one finite number."""
    return _one_number(subject, "score", _guarded(subject, "score", batch, prediction))


def ask_record(subject: Subject) -> Record:
    """`subject.record()`, verified: a Record with a finite loss."""
    record = _guarded(subject, "record")
    if not isinstance(record, Record):
        raise SubjectError(f"{subject.name}: record must return a Record; got {_shown(record)}")
    _one_number(subject, "the loss of record", record.loss)
    return record


def _one_number(subject: Subject, method: str, value: Any) -> float:
    number = np.array(value)
    if number.shape != () or number.dtype.kind not in "iuf" or not np.isfinite(number):
        raise SubjectError(f"{subject.name}: {method} must be one finite number; got {_shown(value)}")
    return float(number)


def _call(subject: Subject, method: str, kind: type[Answer], *arguments: object) -> Answer:
    answer = _guarded(subject, method, *arguments)
    if not isinstance(answer, kind):
        raise SubjectError(f"{subject.name}: {method} must return a {kind.__name__}; got {_shown(answer)}")
    return answer


def _guarded(subject: Subject, method: str, *arguments: object) -> Any:
    try:
        return getattr(subject, method)(*arguments)
    except SubjectError:
        raise
    except Exception as error:
        raise SubjectError(
            f"{subject.name}: {method} must not raise; got {type(error).__name__}: {said(error)}"
        ) from error


def _require_shape(subject: Subject, method: str, name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise SubjectError(f"{subject.name}: {name} of {method} must have shape {shape}; got {array.shape}")


def _require_finite(subject: Subject, method: str, values: Floats, where: Bools) -> None:
    bad = np.argwhere(where & ~np.isfinite(values))
    if len(bad):
        raise NotFiniteError(
            f"{subject.name}: {method} must be finite at every target;"
            f" got {values[tuple(bad[0])]} at {bad[0].tolist()} and {len(bad) - 1} more"
        )


def _shown(answer: object) -> str:
    """A short picture of a wrong answer."""
    if isinstance(answer, np.ndarray):
        return f"an array of shape {answer.shape}"
    return f"{type(answer).__name__} {str(answer)[:60]!r}"
