"""The battery: one file a family, one small function a check; CHECKS is the manifest."""

from diagnostics.check import Check
from diagnostics.checks import (
    attention,
    boundary,
    data,
    feeding,
    likelihood,
    loss,
    masking,
    metric,
    order,
    padding,
    persistence,
    position,
    rollout,
    visibility,
)

CHECKS: tuple[Check, ...] = (
    position.history_labels_matter,
    position.query_position_is_its_own,
    position.x_is_resolved,
    position.single_step_equals_column,
    padding.rows_of_unequal_length_agree,
    masking.no_future_leak,
    visibility.newest_point_is_seen,
    visibility.newest_point_weighs_as_it_should,
    visibility.other_series_is_seen,
    masking.rows_are_independent,
    masking.one_context_point_is_enough,
    padding.padding_is_inert,
    padding.zero_is_a_value,
    attention.attention_rows_sum_to_one,
    rollout.rollout_ignores_true_targets,
    rollout.rollout_equals_stepping,
    rollout.rollout_keeps_the_context,
    rollout.one_trajectory_equals_many,
    rollout.samples_have_the_predicted_scale,
    feeding.inference_is_deterministic,
    feeding.context_order_is_irrelevant,
    boundary.no_drift_at_the_first_target,
    boundary.no_offset_at_the_first_target,
    boundary.no_drift_later,
    boundary.prediction_follows_a_level_shift,
    boundary.relabelling_changes_nothing,
    attention.attention_has_no_floor,
    order.forecast_order_was_trained,
    likelihood.z_scores_are_calibrated,
    likelihood.first_target_is_calibrated,
    loss.loss_is_the_likelihood,
    loss.every_target_is_scored,
    loss.targets_equal_to_zero_count,
    loss.observed_points_are_not_scored,
    metric.metric_counts_every_target,
    data.pairs_follow_their_process,
    data.pairs_are_independent,
    data.noise_is_independent,
    data.training_batches_follow_the_process,
    data.labels_belong_to_their_series,
    persistence.reload_predicts_the_same,
    persistence.record_is_reproduced,
)


def find_check(name: str) -> Check:
    """The check of that name; raises ValueError with the names that exist."""
    for known in CHECKS:
        if known.name == name:
            return known
    raise ValueError(f"check must be one of {', '.join(check.name for check in CHECKS)}; got {name!r}")
