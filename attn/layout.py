"""A batch cut in two at the boundary: the context, and the targets, which a rollout writes."""

from dataclasses import dataclass

import numpy as np

from attn.types import Batch, Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Layout:
    """A batch cut in two, each part moved to the left.

    batch             the batch that was cut
    context           its context [B,C]
    order, is_target  which column of the batch a target came from, and whether there is one [B,T]
    x, series, y      of the targets [B,T], 0 where there is none
    """

    batch: Batch
    context: Batch
    order: Ints
    is_target: Bools
    x: Floats
    series: Ints
    y: Floats

    @classmethod
    def of(cls, batch: Batch) -> "Layout":
        """Cut a batch; C and T are the most context points and targets of a row."""
        num_targets = max(1, int(batch.is_target.sum(axis=1).max()))
        order = _columns(batch.is_target, num_targets)
        is_target = _take(batch.is_target, order)
        x, series, y = (
            np.where(is_target, _take(part, order), 0) for part in (batch.x, batch.series, batch.y)
        )
        seen = _columns(batch.is_context, int(batch.is_context.sum(axis=1).max()))
        is_context = _take(batch.is_context, seen)
        context_x, context_series, context_y = (
            np.where(is_context, _take(part, seen), 0) for part in (batch.x, batch.series, batch.y)
        )
        num_context = np.full(batch.num_pairs, seen.shape[1])
        context = Batch(context_x, context_series, context_y, is_context, num_context)
        return cls(batch, context, order, is_target, x, series, y)

    def place(self, values: Floats, in_context: Floats | float) -> Floats:
        """Values [S,B,T] at the positions of the targets [S,B,L]; `in_context` at those of the context."""
        nan = np.float32(np.nan)
        full = np.where(self.batch.is_context, in_context, nan).astype(np.float32)
        full = np.broadcast_to(full, (values.shape[0], *self.batch.x.shape)).copy()
        row, slot = np.nonzero(self.is_target)
        full[:, row, self.order[row, slot]] = values[:, row, slot]
        return full


def _columns(chosen: Bools, width: int) -> Ints:
    """Indices of the first `width` columns when the chosen ones move to the left, order kept [B,width].

    Where a row has fewer columns than `width` the last is repeated; a mask taken with it is False there.
    """
    order = np.argsort(~chosen, axis=1, kind="stable")
    missing = max(0, width - order.shape[1])
    return np.pad(order, ((0, 0), (0, missing)), constant_values=-1)[:, :width]


def _take(values: np.ndarray, columns: Ints) -> np.ndarray:
    taken = np.take_along_axis(values, np.maximum(columns, 0), axis=1)
    return taken & (columns >= 0) if values.dtype == bool else taken
