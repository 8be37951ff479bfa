from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
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


def on_itself(s, batch):
    """A tenth of the attention of every target is on the target."""
    attention = s.attention(batch)
    own = np.eye(batch.num_points) * batch.is_target[None, :, None, :, None]
    return replace(attention, weights=0.9 * attention.weights + 0.1 * own)


TWINS = {
    attention_rows_sum_to_one: {
        "to all": {"attention": to_all},
        "in excess": {"attention": in_excess},
        "on itself": {"attention": on_itself},
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


def in_excess_in_row(row):
    def attention(s, batch):
        weights = s.attention(batch).weights.copy()
        weights[:, row] *= 1.5
        return replace(s.attention(batch), weights=weights)

    return attention


def test_the_excess_is_the_statistic_and_roundings_of_the_sum_are_allowed(assert_fails):
    finding = assert_fails(attention_rows_sum_to_one, attention=in_excess_in_row(2))
    assert finding.statistic == pytest.approx(0.5)
    assert finding.tolerance == 4 * 48 * 2.0**-23  # four roundings of each of 48 keys
    assert "in 1 of 8 rows" in finding.detail


def test_eight_rows_are_looked_at(ask, twin):
    for check in (attention_rows_sum_to_one, attention_has_no_floor):
        seen = []

        def attention(s, batch, seen=seen):
            seen.append(batch.num_pairs)
            return s.attention(batch)

        ask(check, twin(attention=attention))
        assert seen == [8]


def test_attention_on_hidden_points_is_told_from_sums_that_are_off(assert_fails):
    hidden = assert_fails(attention_rows_sum_to_one, attention=on_itself)
    assert hidden.statistic == pytest.approx(0.1)
    assert "falls on points that must be hidden" in hidden.detail


def test_attention_on_padding_is_attention_on_hidden_points(ask, twin):
    pairs = PairProcess(num_points=24).sample(16, np.random.default_rng(0))
    cut = replace(pairs, valid=pairs.valid & (np.arange(48) != 5))

    def on_padding(s, batch):
        attention = s.attention(batch)
        hidden = (~batch.valid)[None, :, None, None] * batch.is_target[None, :, None, :, None]
        return replace(attention, weights=0.8 * attention.weights + 0.2 * hidden)

    assert ask(attention_rows_sum_to_one, twin(), source=cut).status == "passed"
    finding = ask(attention_rows_sum_to_one, twin(attention=on_padding), source=cut)
    assert (finding.status, finding.statistic) == ("failed", pytest.approx(0.2))


def test_attention_may_be_shown_for_some_queries_and_keys_only(ask, twin):
    def of_the_last(s, batch):
        whole = s.attention(batch)
        queries, keys = np.array([batch.num_points - 1]), np.arange(1, batch.num_points)
        weights = whole.weights[:, :, :, queries][..., keys]
        return Attention(weights / weights.sum(axis=-1, keepdims=True), queries, keys)

    for check in (attention_rows_sum_to_one, attention_has_no_floor):
        assert ask(check, twin(attention=of_the_last)).status == "passed"


def test_what_is_no_target_need_not_be_a_distribution(ask, twin):
    def everywhere(s, batch):
        attention = s.attention(batch)
        return replace(
            attention, weights=np.where(batch.is_target[None, :, None, :, None], attention.weights, 1.0)
        )

    assert ask(attention_rows_sum_to_one, twin(attention=everywhere)).status == "passed"


def tied(num_keys, rows=slice(None)):
    """So many of the keys of every target share the least weight, in those rows."""

    def attention(s, batch):
        shape = (1, batch.num_pairs, 1, batch.num_points, batch.num_points)
        weights = np.broadcast_to(1.0 + np.arange(batch.num_points), shape).copy()
        weights[:, rows, ..., :num_keys] = 1.0
        weights *= np.tri(batch.num_points, k=-1)
        positions = np.arange(batch.num_points)
        return Attention(weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1), positions, positions)

    return attention


@pytest.mark.parametrize(
    ("ties", "share"), [((3,), 0.0), ((4,), 1.0), ((4, slice(4)), 0.5), ((4, slice(5)), 0.625)]
)
def test_a_floor_has_four_keys_and_fails_in_more_than_half_of_the_rows(ties, share, ask, twin):
    finding = ask(attention_has_no_floor, twin(attention=tied(*ties)))
    assert (finding.statistic, finding.tolerance) == (pytest.approx(share), 0.5)
    assert finding.status == ("failed" if share > 0.5 else "passed")


@pytest.mark.parametrize(("num_points", "status"), [(2, "skipped"), (3, "passed")])
def test_a_floor_needs_more_points_than_it_has_keys(num_points, status, ask, whole_subject):
    # two series of 2 points and one of B observed: a target has seen 3; of 3 points: the last has seen 5
    assert ask(attention_has_no_floor, whole_subject(PairProcess(num_points=num_points))).status == status
