from dataclasses import replace

import numpy as np
import pytest

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.attribution.attribute import attribute
from diagnostics.attribution.interventions import column_of_target
from diagnostics.measures import level_gap
from diagnostics.result import Attribution

PROCESS = PairProcess(num_points=16)
PARTS = ("oracle", "training_order", "history_order", "free_running")


def hidden(batch):
    return replace(batch, series=np.zeros_like(batch.series))


class Blind(OracleSubject):
    """The exact posterior of pairs whose labels are all equal."""

    def teacher_force(self, batch):
        return super().teacher_force(hidden(batch))

    def rollout(self, batch, num_samples, rng, feed="sample"):
        return super().rollout(hidden(batch), num_samples, rng, feed)


class Moved(OracleSubject):
    """The exact posterior plus what `offset` gives for a batch [B,L], along every path."""

    def offset(self, batch):
        return np.zeros(batch.x.shape)

    def teacher_force(self, batch):
        exact = super().teacher_force(batch)
        return Prediction(exact.mean + self.offset(batch), exact.scale)

    def rollout(self, batch, num_samples, rng, feed="sample"):
        run, offset = super().rollout(batch, num_samples, rng, feed), self.offset(batch)
        return Rollout(run.samples + offset, run.mean + offset, run.scale)


class Sorted(Moved):
    """Moves to A's level by a known fraction, where its history ends in a run of rising x."""

    FRACTION = 0.3

    def offset(self, batch):
        rising = (np.diff(batch.x[:, 16:20], axis=1) > 0).all(axis=1)
        return (self.FRACTION * rising * np.nan_to_num(level_gap(batch)))[:, None] * np.ones(batch.x.shape)


class Growing(Moved):
    """A rollout that adds h/10 to the mean of target h + 1; the parallel pass is exact."""

    teacher_force = OracleSubject.teacher_force

    def offset(self, batch):
        return 0.1 * np.maximum(np.cumsum(batch.is_target, axis=1) - 1, 0)


class Everywhere(Moved):
    """Off by a constant in whatever order."""

    def offset(self, batch):
        return np.full(batch.x.shape, 0.7)


class Pulled(Moved):
    """Pulled towards A by 0.02 of the gap for every point of A."""

    def offset(self, batch):
        b = np.take_along_axis(batch.series, column_of_target(batch, 1)[:, None], axis=1)
        count = (batch.is_context & (batch.series != b)).sum(axis=1)
        return (0.02 * count * np.nan_to_num(level_gap(batch)))[:, None] * np.ones(batch.x.shape)


class Worn(OracleSubject):
    """What is restored from it is off by half the gap."""

    def reload(self):
        class Restored(Moved):
            def offset(self, batch):
                return 0.5 * np.nan_to_num(level_gap(batch))[:, None] * np.ones(batch.x.shape)

        return Restored(self.process)


class Shown(OracleSubject):
    """The exact posterior, trained in a regime."""

    def __init__(self, regime):
        super().__init__(PROCESS, regime)
        self.regime = regime

    def training_batches(self, num_batches, rng):
        return [arrange(self.process.sample(8, rng), self.regime, 6, rng) for _ in range(num_batches)]

    def reload(self):
        raise OSError("the disk is gone")


def made(subject, **changes):
    return attribute(subject, changes.pop("source", PROCESS), num_pairs=64, **changes)


def row(attribution, name, where="first"):
    return next(r for r in attribution.rows if (r.name, r.where) == (name, where))


def holds(estimate, value, atol=1e-9):
    return estimate.low - atol <= value <= estimate.high + atol


@pytest.fixture(scope="module")
def blind():
    return made(Blind(PROCESS, "blind"))


@pytest.fixture(scope="module")
def oracle():
    return made(OracleSubject(PROCESS))


@pytest.mark.parametrize("subject", [Blind, Sorted, Growing, Everywhere, Pulled])
@pytest.mark.parametrize("where", ["first", "later"])
def test_the_parts_add_up_to_the_error_and_the_drift_of_free_running(subject, where):
    found = made(subject(PROCESS))
    parts, (total,) = found.at(where, "part"), found.at(where, "total")
    assert tuple(part.name for part in parts) == PARTS
    for field in ("error", "drift"):
        added = sum(getattr(part, field).value for part in parts)
        assert added == pytest.approx(getattr(total, field).value, abs=1e-9)


def test_all_of_the_oracles_error_is_information_that_nobody_has(oracle):
    for where in ("first", "later"):
        for name in PARTS[1:]:
            assert row(oracle, name, where).error.value == pytest.approx(0, abs=1e-8)
            assert "no part of the squared error" in row(oracle, name, where).sentence
        total, exact = row(oracle, "total", where), row(oracle, "oracle", where)
        assert exact.error.value == pytest.approx(total.error.value)
        assert "(100 %)" in exact.sentence


def test_the_oracle_follows_labels_and_nothing_else(oracle):
    assert row(oracle, "labels_flipped").after.low > 0.9
    assert row(oracle, "labels_hidden").drift.low > 0.1
    for name in ("half_of_a", "quarter_of_a", "reloaded"):
        assert row(oracle, name).drift.value == pytest.approx(0, abs=1e-9)
        assert "no part" in row(oracle, name).sentence
    assert abs(row(oracle, "gap_closed").drift.value) < 0.02


def test_flipping_labels_moves_nothing_in_a_label_blind_subject(blind):
    for name in ("labels_flipped", "labels_hidden"):
        probe = row(blind, name)
        assert (probe.drift.value, probe.error.value) == (0, 0)
        assert probe.after.value == pytest.approx(row(blind, "total").drift.value)
    assert "do not reach this prediction" in row(blind, "labels_flipped").sentence
    assert row(blind, "gap_closed").drift.high < -0.1
    # blind in any order: nothing belongs to the order of the history
    assert row(blind, "history_order").error.value == pytest.approx(0, abs=1e-6)
    assert row(blind, "training_order").error.low > 0
    assert row(blind, "training_order").drift.low > 0.05


def test_what_comes_with_forecast_order_is_the_part_of_the_order():
    found = made(Sorted(PROCESS))
    assert row(found, "total").drift.value == pytest.approx(Sorted.FRACTION)
    part, trained = row(found, "history_order"), row(found, "training_order")
    # of the random orders of the last four observed points one in 24 rises, too
    assert part.drift.value == pytest.approx(Sorted.FRACTION * 23 / 24, abs=0.04)
    assert holds(trained.drift, Sorted.FRACTION / 24)
    assert part.error.low > 0
    assert "comes with the order of the history" in part.sentence


def test_an_error_that_grows_while_running_is_free_runnings():
    found = made(Growing(PROCESS))
    assert row(found, "free_running").error.value == pytest.approx(0, abs=1e-9)
    due = {h: (0.1 * (h - 1)) ** 2 for h in range(1, 13)}
    curve = found.free_running
    for h, low, high in zip(curve.at, curve.low, curve.high, strict=True):
        # (exact + d - y)^2 - (exact - y)^2 is d^2 in expectation, give or take chance
        assert low - 0.15 <= due[int(h)] <= high + 0.15
    assert found.later == (11, 12)
    later = row(found, "free_running", "later")
    assert holds(later.error, (due[11] + due[12]) / 2)
    assert later.error.low > 0.5
    assert "comes with free running" in later.sentence
    assert row(found, "training_order", "later").error.value == pytest.approx(0, abs=1e-9)


def test_a_constant_error_is_lacking_in_training_order():
    found = made(Everywhere(PROCESS))
    part = row(found, "training_order")
    assert holds(part.error, 0.49)
    assert row(found, "history_order").error.value == pytest.approx(0, abs=1e-6)
    assert "lacking even in training order" in part.sentence


def test_fewer_points_of_a_pull_less_in_proportion():
    found = made(Pulled(PROCESS))
    assert row(found, "total").drift.value == pytest.approx(0.32)
    assert row(found, "half_of_a").after.value == pytest.approx(0.16, abs=0.03)
    assert row(found, "quarter_of_a").drift.value == pytest.approx(-0.24, abs=0.03)
    assert "moves the level" in row(found, "quarter_of_a").sentence


def test_what_is_lost_on_restoring_is_found():
    found = made(Worn(PROCESS))
    assert row(found, "reloaded").drift.value == pytest.approx(0.5)
    assert "what was restored is not what was saved" in row(found, "reloaded").sentence


def test_forecast_order_in_training_leaves_the_order_out_with_the_reason():
    found = made(Shown("forecast"))
    assert [part.name for part in found.at("first", "part")] == ["oracle", "training_order", "free_running"]
    assert any("order of the history is left out" in reason for reason in found.left_out)
    assert row(found, "random_order").drift.value == pytest.approx(0, abs=1e-6)
    assert "Training batches show forecast order" in found.training_order
    assert row(found, "in_training", "training").error.value == pytest.approx(0, abs=1e-9)


def test_a_shuffled_training_is_no_forecast_order():
    found = made(Shown("shuffle"))
    assert "history_order" in [part.name for part in found.at("first", "part")]
    assert "random permutation is the training order" in found.training_order


def test_a_probe_that_the_subject_cannot_answer_is_left_out_with_what_it_said():
    found = made(Shown("shuffle"))
    assert "reloaded" not in [r.name for r in found.rows]
    assert any("saved and restored is left out" in r and "the disk is gone" in r for r in found.left_out)


class Bare:
    name = "bare"
    teacher_force = OracleSubject(PROCESS).teacher_force
    predict_next = OracleSubject(PROCESS).predict_next


def test_what_a_subject_lacks_is_left_out_with_the_reason():
    pairs = PROCESS.sample(20, np.random.default_rng(0))
    found = made(Bare(), source=pairs)
    names = [r.name for r in found.rows]
    assert "oracle" not in names
    assert "reloaded" not in names
    reasons = " ".join(found.left_out)
    assert "no process is known" in reasons
    assert "does not offer reload" in reasons
    for where in ("first", "later"):
        parts, (total,) = found.at(where, "part"), found.at(where, "total")
        assert sum(part.error.value for part in parts) == pytest.approx(total.error.value)


def test_single_sequences_have_errors_and_no_drift():
    process = PairProcess(num_points=16, shift="none")
    found = made(OracleSubject(process), source=process)
    assert all(r.drift is None for r in found.rows)
    assert any("no A" in reason for reason in found.left_out)
    assert [r.name for r in found.at("first", "probe")] == ["reloaded"]
    assert "squared error" in row(found, "reloaded").sentence


def test_the_same_seed_gives_the_same_attribution_and_it_survives_json(oracle):
    again = made(OracleSubject(PROCESS))
    assert again == oracle
    assert Attribution.model_validate_json(oracle.model_dump_json()) == oracle
