"""In which order training shows its points: read off the subject's own training batches."""

from dataclasses import dataclass

import numpy as np

from attn.types import Batch, Bools
from diagnostics.ask import SubjectError, ask_training_batches
from diagnostics.measures import predicted_series
from diagnostics.subject import Subject, offers

# Training in which at least this share of the rows stands in forecast order has shown that order.
SHARE_IN_FORECAST_ORDER = 0.1
MOST_BATCHES = 32


@dataclass(frozen=True, eq=False)
class TrainingOrder:
    """Rows as training sees them (None with the reason), and whether they show forecast order."""

    batch: Batch | None
    is_forecast: bool
    why_not: str = ""


def find_training_order(subject: Subject, num_rows: int, rng: np.random.Generator) -> TrainingOrder:
    """Look at up to `num_rows` rows of training; of batches of unequal length, those as long as the first."""
    if not offers(subject, "training_batches"):
        return TrainingOrder(None, False, "the subject does not offer training_batches")
    try:
        batches = ask_training_batches(subject, 1, rng)
        num_more = min(-(-num_rows // batches[0].num_pairs), MOST_BATCHES) - 1
        batches += ask_training_batches(subject, num_more, rng) if num_more else []
    except SubjectError as error:
        return TrainingOrder(None, False, str(error))
    alike = [batch for batch in batches if batch.num_points == batches[0].num_points]
    names = ("x", "series", "y", "valid", "num_context")
    joined = Batch(*(np.concatenate([getattr(batch, name) for batch in alike]) for name in names))
    rows = joined.rows(slice(0, num_rows))
    return TrainingOrder(rows, bool(stands_in_forecast_order(rows).mean() >= SHARE_IN_FORECAST_ORDER))


def stands_in_forecast_order(batch: Batch) -> Bools:
    """Rows that observe A by rising x, then B by rising x, three points or more [B]."""
    of_b = batch.series == predicted_series(batch)[:, None]
    found = np.zeros(batch.num_pairs, bool)
    for row, seen in enumerate(batch.is_context):
        x, in_b = batch.x[row, seen], of_b[row, seen].astype(int)
        next_part, same_part = np.diff(in_b), np.diff(x) >= 0
        found[row] = len(x) > 2 and bool(((next_part > 0) | ((next_part == 0) & same_part)).all())
    return found
