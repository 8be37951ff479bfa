from dataclasses import replace

import numpy as np

from attn.types import Attention
from diagnostics.checks.attention import attention_has_no_floor, attention_rows_sum_to_one


def to_all(s, batch):
    weights = np.full((1, batch.num_pairs, 1, batch.num_points, batch.num_points), 1 / batch.num_points)
    return replace(s.attention(batch), weights=weights)


def in_excess(s, batch):
    attention = s.attention(batch)
    return replace(attention, weights=attention.weights * 1.01)


def in_excess_in_one_head(s, batch):
    weights = s.attention(batch).weights.copy()
    weights[0, :, 1] *= 1.01
    return replace(s.attention(batch), weights=weights)


def with_floor(share):
    """No point that may be seen weighs less than that share of the heaviest, as with a relu on the scores."""

    def attention(s, batch):
        healthy = s.attention(batch)
        weights = healthy.weights
        floor = share * weights.max(axis=-1, keepdims=True) * (weights > 0)
        raised = np.maximum(weights, floor)
        return replace(healthy, weights=raised / np.maximum(raised.sum(axis=-1, keepdims=True), 1e-9))

    return attention


TWINS = {
    attention_rows_sum_to_one: {
        "to all": {"attention": to_all},
        "in excess": {"attention": in_excess},
        "in excess in one head": {"attention": in_excess_in_one_head},
    },
    attention_has_no_floor: {"relu": {"attention": with_floor(0.2)}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def shared(share_of_newest):
    """So much of the attention on the newest of the points seen, the rest in equal parts on all others."""

    def attention(s, batch):
        weights = np.zeros((1, batch.num_pairs, 1, batch.num_points, batch.num_points))
        for query in range(2, batch.num_points):
            weights[..., query, : query - 1] = (1 - share_of_newest) / (query - 1)
            weights[..., query, query - 1] = share_of_newest
        positions = np.arange(batch.num_points)
        return Attention(weights * batch.is_target[None, :, None, :, None], positions, positions)

    return attention


def test_the_finding_says_what_the_tied_least_weights_hold_together(assert_fails):
    finding = assert_fails(attention_has_no_floor, attention=shared(0.5))
    assert finding.statistic == 1.0  # every row has a floor
    assert "together 50.00% of a typical row" in finding.detail


def test_equal_weights_and_weights_of_0_are_no_floor(ask, twin):
    def equal(s, batch):
        healthy = s.attention(batch)
        seen = (healthy.weights > 0).astype(float)
        return replace(healthy, weights=seen / np.maximum(seen.sum(axis=-1, keepdims=True), 1))

    for attention in (equal, shared(1.0)):
        finding = ask(attention_has_no_floor, twin(attention=attention))
        assert (finding.status, finding.statistic) == ("passed", 0.0), finding.detail
