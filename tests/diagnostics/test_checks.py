"""Every check passes on the oracle and fails on a twin that is broken in exactly the way it is for."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Attention, Prediction, Rollout
from diagnostics import checks
from diagnostics.adapters import OracleSubject
from diagnostics.causes import FAULTS
from diagnostics.check import Check, build_scenario
from diagnostics.checks import CHECKS
from diagnostics.measures import level_gap, predicted_series, target_columns

PROCESS = PairProcess(num_points=24)
PROCESSES = {
    "const": PROCESS,
    "rank": replace(PROCESS, label="rank"),
    "periodic": replace(PROCESS, kernel="periodic"),
    "matern": replace(PROCESS, kernel="matern"),
    "rbf shift": replace(PROCESS, shift="rbf", shift_scale=1.0),
}
NUM_PAIRS = 64


class Looking(OracleSubject):
    """The oracle with the attention of a model that looks at all earlier points alike."""

    def attention(self, batch):
        earlier = np.tri(batch.num_points, k=-1) * batch.valid[:, None, :]
        share = earlier / np.maximum(earlier.sum(axis=-1, keepdims=True), 1) * batch.is_target[..., None]
        positions = np.arange(batch.num_points)
        return Attention(np.repeat(share[None, :, None], 2, axis=2), positions, positions)


def twin(**methods):
    """A subject whose `methods` replace the healthy ones; each gets the healthy subject first."""

    def make(process):
        subject, healthy = Looking(process, "twin"), Looking(process)
        for name, broken in methods.items():
            setattr(subject, name, lambda *args, broken=broken: broken(healthy, *args))
        return subject

    return make


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def label_blind(s, batch):
    return s.teacher_force(replace(batch, series=np.zeros_like(batch.series)))


def label_blind_step(s, history, x_next, series_next):
    blind = replace(history, series=np.zeros_like(history.series))
    return s.predict_next(blind, x_next, np.zeros_like(series_next))


def label_blind_rollout(s, batch, num_samples, rng, feed="sample"):
    return s.rollout(replace(batch, series=np.zeros_like(batch.series)), num_samples, rng, feed)


def moved_x(by):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.roll(batch.x, by, axis=1)))


def binned(width):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.floor(batch.x / width) * width))


def stuck_step(s, history, x_next, series_next):
    return s.predict_next(history, history.x[:, -1], series_next)


def leak(s, batch):
    prediction = s.teacher_force(batch)
    return shifted(prediction, 0.05 * (batch.y - prediction.mean))


def leak_of_the_next(s, batch):
    return shifted(s.teacher_force(batch), 0.05 * np.roll(batch.y, -1, axis=1))


def newest_hidden(s, batch):
    columns = np.arange(batch.num_points) == target_columns(batch)[:, None] - 1
    return s.teacher_force(replace(batch, y=np.where(columns, 0.0, batch.y)))


def newest_dropped(s, history, x_next, series_next):
    y = history.y.copy()
    y[:, -1] = 0.0
    return s.predict_next(replace(history, y=y), x_next, series_next)


def padding_leak(s, batch):
    return shifted(
        s.teacher_force(batch), 0.001 * np.where(batch.valid, 0.0, batch.y).sum(axis=1, keepdims=True)
    )


def padding_nan(s, batch):
    return shifted(s.teacher_force(batch), 0.0 if batch.valid.all() else np.nan)


def rows_mix(s, batch):
    return shifted(s.teacher_force(batch), 0.01 * batch.y[:, :1].mean())


def rows_counted(s, batch):
    return shifted(s.teacher_force(batch), 0.001 * np.arange(batch.num_pairs)[:, None])


def attention_to_all(s, batch):
    weights = np.full((1, batch.num_pairs, 1, batch.num_points, batch.num_points), 1 / batch.num_points)
    return replace(s.attention(batch), weights=weights)


def attention_in_excess(s, batch):
    attention = s.attention(batch)
    return replace(attention, weights=attention.weights * 1.01)


def lost_with_one_point(s, batch):
    return shifted(s.teacher_force(batch), np.where(batch.num_context == 1, np.nan, 0.0)[:, None])


def no_scale_with_one_point(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, scale=prediction.scale * (batch.num_context > 1)[:, None])


def rollout_fed_the_truth(s, batch, num_samples, rng, feed="sample"):
    truth = s.teacher_force(replace(batch, y=np.nan_to_num(batch.y)))
    honest = s.rollout(batch, num_samples, rng, feed)
    mean = np.where(batch.is_target, truth.mean, honest.mean)
    return Rollout(np.where(batch.is_target, mean, honest.samples), mean, honest.scale)


def rollout_poisoned_by_nan(s, batch, num_samples, rng, feed="sample"):
    honest = s.rollout(batch, num_samples, rng, feed)
    poison = 0.0 * batch.y.sum(axis=1, keepdims=True)
    return replace(honest, samples=honest.samples + poison)


def stale_rollout(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    late = np.arange(batch.num_points) > target_columns(batch)[:, None] + 3
    return replace(rollout, scale=np.where(late, rollout.scale * 1.05, rollout.scale))


def drawn(draw):
    """A rollout whose samples are mean + draw(rng, shape, scale), alone."""

    def rollout(s, batch, num_samples, rng, feed="sample"):
        honest = s.rollout(batch, num_samples, rng, feed)
        return replace(honest, samples=honest.mean + draw(rng, honest.scale))

    return rollout


def noisy(s, batch):
    return shifted(s.teacher_force(batch), 0.01 * np.random.default_rng().standard_normal(batch.y.shape))


def noisy_step(s, history, x_next, series_next):
    noise = 0.01 * np.random.default_rng().standard_normal((history.num_pairs, 1))
    return shifted(s.predict_next(history, x_next, series_next), noise)


def residual_of_the_newest(s, history, x_next, series_next):
    return shifted(s.predict_next(history, x_next, series_next), 0.1 * history.y[:, -1:])


def drop_of(share):
    """A step that lies `share` of the gap towards A."""

    def step(s, history, x_next, series_next):
        gap = level_gap(replace(history, num_context=np.full(history.num_pairs, history.num_points - 1)))
        return shifted(s.predict_next(history, x_next, series_next), share * np.nan_to_num(gap)[:, None])

    return step


def drifting_rollout(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    later = np.arange(batch.num_points) > target_columns(batch)[:, None]
    return replace(rollout, mean=rollout.mean + 0.2 * level_gap(batch)[:, None] * later)


def compressed(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, mean=0.8 * prediction.mean)


def partial_to_label(s, batch):
    return shifted(s.teacher_force(batch), 0.1 * (1 - 2 * batch.series))


def scaled(factor):
    def teacher_force(s, batch):
        prediction = s.teacher_force(batch)
        return replace(prediction, scale=factor * prediction.scale)

    return teacher_force


def poor_first(s, batch):
    first = np.arange(batch.num_points) == target_columns(batch)[:, None]
    return shifted(s.teacher_force(batch), 0.5 * first)


def parts_of_loss(s, batch):
    prediction = s.teacher_force(batch)
    z = ((batch.y - prediction.mean) / prediction.scale)[batch.is_target]
    return 0.5 * z**2, np.log(prediction.scale[batch.is_target])


def halved_loss(s, batch):
    square, log_scale = parts_of_loss(s, batch)
    return float((square + 0.5 * log_scale).mean())


def zero_dropping_loss(s, batch):
    square, log_scale = parts_of_loss(s, batch)
    return float((square + log_scale)[batch.y[batch.is_target] != 0].mean())


def context_scoring_loss(s, batch):
    everything = replace(batch, num_context=np.ones_like(batch.num_context))
    return s.loss(everything)


def first_dropping_loss(s, batch):
    return s.loss(replace(batch, num_context=batch.num_context + 1))


def last_dropping_loss(s, batch):
    return s.loss(replace(batch, valid=batch.valid & (np.arange(batch.num_points) < batch.num_points - 1)))


def negated_loss(s, batch):
    return -s.loss(batch)


def other_after_reload(s):
    return OracleSubject(replace(s.process, noise_scale=0.2))


def other_step_after_reload(s):
    return twin(predict_next=stuck_step)(s.process)


TWINS = {
    "history_labels_matter": {"blind": twin(teacher_force=label_blind)},
    "query_position_is_its_own": {
        "late": twin(teacher_force=moved_x(1)),
        "early": twin(teacher_force=moved_x(-1)),
    },
    "x_is_resolved": {
        "bins of 0.1": twin(teacher_force=binned(0.1)),
        "all in one bin": twin(teacher_force=binned(100.0)),
    },
    "single_step_equals_column": {"stuck": twin(predict_next=stuck_step)},
    "no_future_leak": {"own y": twin(teacher_force=leak), "next y": twin(teacher_force=leak_of_the_next)},
    "newest_point_is_seen": {
        "hidden": twin(teacher_force=newest_hidden),
        "dropped": twin(predict_next=newest_dropped),
    },
    "padding_is_inert": {"leak": twin(teacher_force=padding_leak), "nan": twin(teacher_force=padding_nan)},
    "rows_are_independent": {"mix": twin(teacher_force=rows_mix), "count": twin(teacher_force=rows_counted)},
    "attention_rows_sum_to_one": {
        "to all": twin(attention=attention_to_all),
        "in excess": twin(attention=attention_in_excess),
    },
    "one_context_point_is_enough": {
        "nan": twin(teacher_force=lost_with_one_point),
        "zero": twin(teacher_force=no_scale_with_one_point),
    },
    "rollout_ignores_true_targets": {
        "fed": twin(rollout=rollout_fed_the_truth),
        "nan": twin(rollout=rollout_poisoned_by_nan),
    },
    "rollout_equals_stepping": {
        "stale": twin(rollout=stale_rollout),
        "blind": twin(rollout=label_blind_rollout),
    },
    "samples_have_the_predicted_scale": {
        "variance": twin(rollout=drawn(lambda rng, scale: scale**2 * rng.standard_normal(scale.shape))),
        "same over steps": twin(
            rollout=drawn(lambda rng, scale: scale * rng.standard_normal((*scale.shape[:2], 1)))
        ),
        "same over trajectories": twin(
            rollout=drawn(lambda rng, scale: scale * rng.standard_normal((1, *scale.shape[1:])))
        ),
        "same over pairs": twin(
            rollout=drawn(lambda rng, scale: scale * rng.standard_normal((len(scale), 1, scale.shape[2])))
        ),
    },
    "inference_is_deterministic": {
        "pass": twin(teacher_force=noisy),
        "step": twin(predict_next=noisy_step),
        "rollout": twin(rollout=lambda s, b, n, rng, feed="sample": s.rollout(b, n, np.random.default_rng())),
    },
    "context_order_is_irrelevant": {"residual": twin(predict_next=residual_of_the_newest)},
    "no_drift_at_the_first_target": {
        "blind": twin(predict_next=label_blind_step),
        "small": twin(predict_next=drop_of(0.1)),
        "away": twin(predict_next=drop_of(-0.1)),
    },
    "no_drift_later": {"blind": twin(rollout=label_blind_rollout), "grown": twin(rollout=drifting_rollout)},
    "prediction_follows_a_level_shift": {"compressed": twin(teacher_force=compressed)},
    "relabelling_changes_nothing": {"rank": twin(teacher_force=partial_to_label)},
    "z_scores_are_calibrated": {
        "too wide": twin(teacher_force=scaled(np.sqrt(2))),
        "too sure": twin(teacher_force=scaled(0.7)),
    },
    "first_target_is_calibrated": {"poor": twin(teacher_force=poor_first)},
    "first_target_is_predicted_as_well": {"poor": twin(teacher_force=poor_first)},
    "loss_is_the_likelihood": {
        "halved": twin(loss=halved_loss),
        "context": twin(loss=context_scoring_loss),
        "negated": twin(loss=negated_loss),
    },
    "targets_equal_to_zero_count": {"zeros": twin(loss=zero_dropping_loss)},
    "observed_points_are_not_scored": {"context": twin(loss=context_scoring_loss)},
    "every_target_is_scored": {
        "first": twin(loss=first_dropping_loss),
        "second": twin(loss=last_dropping_loss),
    },
    "reload_predicts_the_same": {
        "other": twin(reload=other_after_reload),
        "other step": twin(reload=other_step_after_reload),
    },
}


def ask(check, subject, seed=0, source=PROCESS):
    scenario = build_scenario(source, np.random.default_rng([seed, 0]), num_pairs=NUM_PAIRS)
    return check(subject, scenario, np.random.default_rng([seed, 1]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_every_check_passes_on_the_oracle(process, seed):
    found = {check.name: ask(check, Looking(process), seed, process) for check in CHECKS}
    assert [f"{name}: {f.detail}" for name, f in found.items() if f.status != "passed"] == []


@pytest.mark.parametrize(
    ("name", "broken"), [(name, broken) for name in TWINS for broken in TWINS[name]], ids=lambda part: part
)
def test_the_check_fails_on_its_broken_twin(name, broken):
    finding = ask(checks.find_check(name), TWINS[name][broken](PROCESS))
    assert finding.status == "failed", finding.detail
    assert len(finding.detail) > 40
    assert "\n" not in finding.detail


def test_every_check_has_a_twin_on_which_it_fails():
    assert set(TWINS) == {check.name for check in CHECKS}


def test_the_manifest_holds_every_check_of_the_families():
    defined = {
        value.name
        for family in ("position", "masking", "feeding", "boundary", "likelihood", "loss", "persistence")
        for value in vars(getattr(checks, family)).values()
        if isinstance(value, Check)
    }
    assert defined == {check.name for check in CHECKS}
    assert len(CHECKS) == len({check.name for check in CHECKS})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_documents_itself_and_suspects_known_faults(check):
    assert check.question.endswith("?")
    assert len(check.method) > 80
    assert check.suspects
    assert set(check.suspects) <= set(FAULTS)


def test_drift_is_judged_against_the_truth_where_there_is_no_process():
    pairs = PROCESS.sample(200, np.random.default_rng(5))
    for name in ("no_drift_at_the_first_target", "no_drift_later"):
        check = checks.find_check(name)
        healthy = ask(check, OracleSubject(PROCESS), source=pairs)
        assert healthy.status == "passed", healthy.detail
        assert "against the true y" in healthy.detail
        blind = twin(predict_next=label_blind_step, rollout=label_blind_rollout)(PROCESS)
        assert ask(check, blind, source=pairs).status == "failed"


def test_without_a_process_the_battery_is_still_whole_on_pairs_whose_labels_tell_nothing():
    pairs = PROCESS.sample(NUM_PAIRS, np.random.default_rng(6))
    found = {check.name: ask(check, Looking(PROCESS), source=pairs) for check in CHECKS}
    assert [f"{name}: {f.detail}" for name, f in found.items() if f.status != "passed"] == []


def test_labels_that_tell_the_level_are_not_held_against_a_model_without_a_process():
    check, subject = (
        checks.find_check("relabelling_changes_nothing"),
        twin(teacher_force=partial_to_label)(PROCESS),
    )
    telling = PROCESSES["rank"].sample(NUM_PAIRS, np.random.default_rng(7))
    finding = ask(check, subject, source=telling)
    assert finding.status == "passed"
    assert "nothing is judged" in finding.detail
    assert ask(check, subject, source=PROCESS.sample(NUM_PAIRS, np.random.default_rng(7))).status == "failed"


def test_a_model_that_is_honestly_uncertain_at_the_boundary_is_not_flagged():
    def unsure(s, batch):
        prediction = s.teacher_force(batch)
        first = np.arange(batch.num_points) == target_columns(batch)[:, None]
        error = 0.4 * np.random.default_rng(0).standard_normal((batch.num_pairs, 1))
        scale = np.where(first, np.hypot(prediction.scale, 0.4), prediction.scale)
        return Prediction(prediction.mean + first * error, scale)

    for name in ("no_drift_at_the_first_target", "first_target_is_calibrated"):
        assert ask(checks.find_check(name), twin(teacher_force=unsure)(PROCESS)).status == "passed"


def test_single_sequences_skip_what_needs_two_series():
    single = PairProcess(shift="none", num_points=30)
    found = {check.name: ask(check, Looking(single), source=single) for check in CHECKS}
    skipped = {name for name, finding in found.items() if finding.status == "skipped"}
    assert skipped == {"history_labels_matter", "no_drift_at_the_first_target", "no_drift_later"}
    assert not [name for name, finding in found.items() if finding.status == "failed"]


def test_series_to_predict_differ_between_rows_of_a_scenario():
    scenario = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=NUM_PAIRS)
    assert set(predicted_series(scenario.forecast)) == {0, 1}
    assert scenario.num_context == 6
