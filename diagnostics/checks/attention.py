"""Attention: where does every target look?  Only for subjects that show it."""

import numpy as np

from attn.types import Attention, Batch, Floats
from diagnostics.ask import ask_attention
from diagnostics.check import Finding, Scenario, check
from diagnostics.judge import EPSILON, must_not_move, worst
from diagnostics.subject import Subject

NUM_ATTENTION_ROWS = 8
# Adding K weights that sum to 1 loses at most K roundings; exponentials and the division a few more.
OUTPUT_ROUNDINGS_OF_A_SUM = 4
# A floor: so many keys share the smallest weight of a row to the last bits of float32, and it is not 0 (which
# is where very small weights end as well).
FEWEST_KEYS_ON_A_FLOOR = 4
TIE = 1e-6
LARGEST_SHARE_OF_ROWS = 0.5


@check(
    family="masking",
    suspects=("mixed_rows", "future_leak", "misaligned_causal_mask", "mask_dropped_with_scores"),
    needs=("attention",),
)
def attention_rows_sum_to_one(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the attention of every target a distribution over valid, earlier points?

    The weights of a target must sum to 1 over the keys and be 0 on padding, on the target and on all
    that comes after it, in every layer and head.
    """
    batch = scenario.forecast.rows(slice(0, NUM_ATTENTION_ROWS))
    attention = ask_attention(subject, batch)
    keys, queries = attention.key_positions, attention.query_positions
    tolerance = OUTPUT_ROUNDINGS_OF_A_SUM * len(keys) * EPSILON
    is_target = batch.is_target[:, queries][None, :, None, :]  # [1,B,1,Q]
    sums = attention.weights.sum(axis=-1)  # [layers,B,H,Q]
    off_one = np.where(is_target, np.abs(sums - 1), 0.0)
    hidden = (keys[None, None, :] >= queries[None, :, None]) | ~batch.valid[:, keys][:, None, :]  # [B,Q,K]
    on_hidden = np.where(is_target[..., None] & hidden[None, :, None], attention.weights, 0.0)
    return worst(
        must_not_move(
            np.moveaxis(off_one, 1, 0),
            tolerance,
            passed="attention is a distribution over earlier points, in every layer and head",
            failed="the attention of a target does not sum to 1 over the keys",
        ),
        must_not_move(
            np.moveaxis(np.abs(on_hidden), 1, 0),
            tolerance,
            passed="none of it is on hidden points",
            failed="attention falls on points that must be hidden (padding, the target, or later ones)",
        ),
    )


@check(family="boundary", suspects=("attention_dilution",), needs=("attention",))
def attention_has_no_floor(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Can attention leave a point aside?

    In the attention of every target, layer and head the keys that share the smallest weight are counted.
    Where scores are cut off at 0 before the softmax, many keys stand on one floor of exp(0), to the last bit:
    what they hold together grows with their number, whatever stands in them.  A softmax of uncut scores
    gives no two keys the same weight.
    """
    batch = scenario.forecast.rows(slice(0, NUM_ATTENTION_ROWS))
    floor = _mass_on_the_floor(ask_attention(subject, batch), batch)
    if not len(floor):
        return Finding("skipped", "no target has seen enough points for a floor to show")
    share = float((floor > 0).mean())
    if share > LARGEST_SHARE_OF_ROWS:
        detail = (
            f"in {share:.0%} of all attention the least weights are equal to the last bit, together"
            f" {np.median(floor):.2%} of a typical row: scores are cut off, so many points of A outweigh few"
            " of B"
        )
        return Finding("failed", detail, share, LARGEST_SHARE_OF_ROWS)
    detail = f"in {share:.0%} of all attention the least weights are equal: points can be left aside"
    return Finding("passed", detail, share, LARGEST_SHARE_OF_ROWS)


def _mass_on_the_floor(attention: Attention, batch: Batch) -> Floats:
    """What tied smallest weights hold, for each layer, head and target of unequal weights [N].

    0 where fewer keys are tied than make a floor.
    """
    masses = []
    for place, query in enumerate(attention.query_positions):
        for row in np.flatnonzero(batch.is_target[:, query]):
            seen = batch.valid[row, attention.key_positions] & (attention.key_positions < query)
            weights = attention.weights[:, row, :, place][..., seen]  # [layers,H,K]
            if weights.shape[-1] <= FEWEST_KEYS_ON_A_FLOOR:
                continue
            on_floor = weights <= weights.min(axis=-1, keepdims=True) * (1 + TIE)
            is_floor = (on_floor.sum(axis=-1) >= FEWEST_KEYS_ON_A_FLOOR) & ~on_floor.all(axis=-1)
            masses.append(np.where(is_floor, (weights * on_floor).sum(axis=-1), 0.0).ravel())
    return np.concatenate(masses) if masses else np.zeros(0)
