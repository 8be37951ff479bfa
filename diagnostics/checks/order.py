"""Boundary: is the order in which the model is used an order in which it was trained?"""

import numpy as np

from attn.types import Batch, Bools, Floats
from diagnostics.ask import ask_teacher_force, ask_training_batches
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._learnt import learnt
from diagnostics.judge import judge_interval
from diagnostics.measures import mean_of, negative_log_likelihood
from diagnostics.subject import Subject

NUM_BATCHES = 8
# Nats per target that the order of inference may cost more than the order of training, beyond what it costs
# the exact posterior.
HEALTHY_COST = (-np.inf, 0.05)


@check(family="boundary", suspects=("shuffled_training_only",), needs=("training_batches",))
@learnt
def forecast_order_was_trained(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Did training show the order of inference, and if not, does that cost nothing?

    Training batches are searched for rows as at inference: all that is to be predicted belongs to one
    series, and the other is observed whole.  Where there is none, the same pairs are predicted in shuffled
    and in forecast order; the nats per target above the exact posterior must not be more in forecast order.
    """
    batches = ask_training_batches(subject, NUM_BATCHES, rng)
    num_rows = sum(batch.num_pairs for batch in batches)
    num_shown = sum(int(_is_as_at_inference(batch).sum()) for batch in batches)
    if num_shown:
        detail = f"{num_shown} of {num_rows} rows of training are in the order of inference"
        return Finding("passed", detail, num_shown / num_rows, 0.0)
    if scenario.process is None:
        detail = (
            f"none of {num_rows} rows of training is in the order of inference; what that costs is unknown"
        )
        return Finding("skipped", f"{detail} without a process")
    cost = _excess(subject, scenario, scenario.forecast) - _excess(subject, scenario, scenario.shuffled)
    return judge_interval(
        f"none of {num_rows} rows of training is in the order of inference; its cost in nats per target",
        mean_of(cost),
        HEALTHY_COST,
        rng,
        passed="the model does without having seen that order",
        failed="the model was never trained in the order in which it is used, and is worse in it",
    )


def _is_as_at_inference(batch: Batch) -> Bools:
    """Rows whose targets are of one series, the other series being observed whole [B]."""
    of_target = np.stack([(batch.is_target & (batch.series == label)).any(axis=1) for label in (0, 1)])
    has_other = np.stack([(batch.is_context & (batch.series == label)).any(axis=1) for label in (0, 1)])
    is_single = ~(batch.valid & (batch.series == 1)).any(axis=1)
    return (of_target.sum(axis=0) == 1) & (has_other.all(axis=0) | is_single)


def _excess(subject: Subject, scenario: Scenario, batch: Batch) -> Floats:
    """Nats above the exact posterior, averaged over the targets of each row [B,1]."""
    assert scenario.process is not None
    mine, exact = ask_teacher_force(subject, batch), scenario.process.posterior(batch)
    nats = negative_log_likelihood(mine.mean, mine.scale, batch.y)
    nats = nats - negative_log_likelihood(exact.mean, exact.scale, batch.y)
    return np.nanmean(np.where(batch.is_target, nats, np.nan), axis=1, keepdims=True)
