"""What is drawn of a symptom: single pairs with their forecasts, and where the first targets look."""

from collections.abc import Mapping

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats, Rollout
from diagnostics.ask import ask_attention, ask_free_run
from diagnostics.measures import attention_mass, predicted_series, target_columns
from diagnostics.result import BoundaryAttention, Example, Rank, Row
from diagnostics.subject import Subject, offers

NUM_ATTENTION_PAIRS = 64


def choose_pairs(batch: Batch, free: Rollout) -> dict[Rank, int]:
    """The pairs of best, median and worst error in free running, by their row in `batch`."""
    by_error = np.argsort(_errors(batch, free))
    return {"best": int(by_error[0]), "median": int(by_error[len(by_error) // 2]), "worst": int(by_error[-1])}


def show_examples(
    subject: Subject,
    batch: Batch,
    free: Rollout,
    process: PairProcess | None,
    pairs: Mapping[Rank, int],
    chosen: str,
    num_samples: int,
    rng: np.random.Generator,
) -> tuple[Example, ...]:
    """Some pairs, with what `subject` predicts of them; `chosen` says among which, as in "of 9 pairs".

    `free` is its mean-fed rollout of `batch` [1,B,L]; an example shows its mean and scale, and
    `num_samples` sampled trajectories.
    """
    error = _errors(batch, free)
    rows = np.array(list(pairs.values()))
    samples = ask_free_run(subject, batch.rows(rows), rng, "sample", num_samples).samples
    examples = []
    for place, (rank, row) in enumerate(pairs.items()):
        one = batch.rows(np.array([row]))
        oracle = None if process is None else process.forecast(one)
        valid = one.valid[0]
        examples.append(
            Example(
                rank=rank,
                pair=row,
                title=f"{rank} {chosen}: free-running error {error[row]:.2f}",
                x=_row(one.x[0, valid]),
                series=[int(label) for label in one.series[0, valid]],
                y=_row(one.y[0, valid]),
                num_context=int(one.is_context.sum()),
                mean=_row(free.mean[0, row, valid]),
                scale=_row(free.scale[0, row, valid]),
                samples=[_row(sample[valid]) for sample in samples[:, place]],
                oracle_mean=None if oracle is None else _row(oracle.mean[0, valid]),
                oracle_scale=None if oracle is None else _row(oracle.scale[0, valid]),
            )
        )
    return tuple(examples)


def _errors(batch: Batch, free: Rollout) -> Floats:
    """The root mean square error of every pair in free running [B]."""
    square = np.where(batch.is_target, (free.mean[0] - batch.y) ** 2, np.nan)
    return np.sqrt(np.nanmean(square, axis=1))


def look_at_boundary(subject: Subject, batch: Batch) -> BoundaryAttention | None:
    """Attention of the targets of some pairs, in inference order; None where the subject shows none."""
    if not offers(subject, "attention"):
        return None
    batch = batch.rows(slice(0, NUM_ATTENTION_PAIRS))
    attention = ask_attention(subject, batch)
    mass = attention_mass(attention, batch)
    keys = attention.key_positions
    query = np.flatnonzero(attention.query_positions == target_columns(batch)[0])
    seen = batch.valid[0, keys] & (keys < target_columns(batch)[0])
    heat_map = attention.weights[:, 0, :, query, :].mean(axis=(0, 1))[:, seen]
    return BoundaryAttention(
        mass_on_a=_row(np.nanmean(mass.on_a, axis=0)),
        mass_on_b=_row(np.nanmean(mass.on_b, axis=0)),
        points_of_a=_row(np.nanmean(mass.points_of_a, axis=0)),
        heat_map=[_row(head) for head in heat_map],
        heat_map_x=_row(batch.x[0, keys[seen]]),
        heat_map_series=[int(label) for label in batch.series[0, keys[seen]] == predicted_series(batch)[0]],
    )


def _row(values: Floats) -> Row:
    return [float(value) for value in values]
