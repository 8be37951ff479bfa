"""Position: points that are placed, labelled or ordered wrongly."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from attn import arrange, layout, rollout
from attn.layers import RelationBias
from attn.models import pair_transformer as transformer
from attn.models.base import Points
from attn.types import Batch, Bools, Floats, Ints, Pairs
from diagnostics.faults.injection import InjectedSubject, Replacement, injection
from diagnostics.faults.trained import fresh_run, shared_run, trained_subject
from diagnostics.subject import Subject


@injection(1, "label_blind_history")
def label_blind_history(severity: float) -> Subject:
    """Learnt without labels: they reach neither query, key nor value."""
    return trained_subject("label_blind_history")


@injection(2, "label_only_in_query", twin="sound_decoder")
def label_only_in_query(severity: float) -> Subject:
    """Learnt with the label of the predicted point in its own head, and no label of the past."""
    return trained_subject("label_only_in_query")


def _left_behind(feature: str, share: float) -> Replacement:
    """`feature` stays in the order of the file, in that share of the rows, while all else is sorted."""
    sound = arrange._ordered

    def ordered(pairs: Pairs, order: arrange._Order) -> Batch:
        batch = sound(pairs, order)
        rows = np.arange(batch.num_pairs) < share * batch.num_pairs
        kept = np.where(rows[:, None], getattr(pairs, feature), getattr(batch, feature))
        parts = {name: getattr(batch, name) for name in ("x", "series", "y")} | {feature: kept}
        return Batch(**parts, valid=batch.valid, num_context=batch.num_context)

    return Replacement(arrange, "_ordered", ordered)


@injection(3, "x_before_sorting", (1.0, 0.5, 0.25))
def x_before_sorting(severity: float) -> Subject:
    """The code of x was computed before the points were ordered, in that share of the training rows."""
    return InjectedSubject(shared_run("sound"), (_left_behind("x", severity),), only=("training_batches",))


@injection(4, "labels_not_sorted", (1.0, 0.5, 0.25))
def labels_not_sorted(severity: float) -> Subject:
    """Labels stayed in their old order when the points were ordered, in that share of the training rows."""
    return InjectedSubject(
        shared_run("sound"), (_left_behind("series", severity),), only=("training_batches",)
    )


@injection(5, "coarse_bins", (1.0, 0.5, 0.25))
def coarse_bins(severity: float) -> Subject:
    """Every x is cut into bins as wide as the distance of neighbouring points, or that share of it."""
    width = severity * 0.5
    sound = RelationBias.call

    def binned(
        layer: RelationBias, x_query: tf.Tensor, of_query: tf.Tensor, x_key: tf.Tensor, of_key: tf.Tensor
    ) -> list[tf.Tensor]:
        return sound(
            layer, tf.floor(x_query / width) * width, of_query, tf.floor(x_key / width) * width, of_key
        )

    return InjectedSubject(fresh_run("sound"), (Replacement(RelationBias, "call", binned),))


@injection(6, "positions_shared_across_rows")
def positions_shared_across_rows(severity: float) -> Subject:
    """The places of the first row's points are used for all rows, of whatever length they are."""
    sound = layout._columns

    def of_first_row(chosen: Bools, width: int) -> Ints:
        return np.repeat(sound(chosen, width)[:1], len(chosen), axis=0)

    return InjectedSubject(shared_run("sound"), (Replacement(layout, "_columns", of_first_row),))


@injection(7, "stuck_position", (1.0, 3.0, 8.0))
def stuck_position(severity: float) -> Subject:
    """The position stands still from that step of inference on."""
    last, sound = int(severity) - 1, rollout._Steps

    def stuck(x: Floats, series: Ints, given: Floats, num_given: Ints, noise: Floats) -> rollout._Steps:
        step = np.minimum(np.arange(x.shape[1]), last)
        return sound(x[:, step], series[:, step], given, num_given, noise)

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "_Steps", stuck),))


@injection(8, "query_off_by_one")
def query_off_by_one(severity: float) -> Subject:
    """Every query is placed at the x of the point before it."""

    def late(model: transformer.PairTransformer, points: Points, first: tf.Tensor) -> list[tf.Tensor]:
        biases = model.relation(points.x, points.series, points.x, points.series)
        return [tf.concat([bias, bias[:, :, first - 1 : -1]], axis=2) for bias in biases]

    return InjectedSubject(fresh_run("sound"), (Replacement(transformer.PairTransformer, "_biases", late),))


@injection(9, "row_order_lost", (1.0, 0.5, 0.1))
def row_order_lost(severity: float) -> Subject:
    """Rows are sorted before the parallel pass, that share of them, and never put back."""

    def sorted_chunks(batch: Batch, num_rows: int) -> Iterator[Batch]:
        count = max(2, round(severity * batch.num_pairs))
        order = np.arange(batch.num_pairs)
        order[:count] = np.argsort(_sort_key(batch)[:count])
        for start in range(0, batch.num_pairs, num_rows):
            yield batch.rows(order[start : start + num_rows])

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "_chunks", sorted_chunks),))


def _sort_key(batch: Batch) -> Floats:
    return np.where(batch.is_context, batch.x, 0.0).sum(axis=1)
