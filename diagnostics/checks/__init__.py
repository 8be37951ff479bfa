"""The battery: one file a family, one small function a check; CHECKS is the manifest."""

from diagnostics.check import Check
from diagnostics.checks import boundary, feeding, likelihood, loss, masking, persistence, position

CHECKS: tuple[Check, ...] = (
    position.history_labels_matter,
    position.query_position_is_its_own,
    position.x_is_resolved,
    position.single_step_equals_column,
    masking.no_future_leak,
    masking.newest_point_is_seen,
    masking.padding_is_inert,
    masking.rows_are_independent,
    masking.attention_rows_sum_to_one,
    masking.one_context_point_is_enough,
    feeding.rollout_ignores_true_targets,
    feeding.rollout_equals_stepping,
    feeding.samples_have_the_predicted_scale,
    feeding.inference_is_deterministic,
    feeding.context_order_is_irrelevant,
    boundary.no_drift_at_the_first_target,
    boundary.no_drift_later,
    boundary.prediction_follows_a_level_shift,
    boundary.relabelling_changes_nothing,
    likelihood.z_scores_are_calibrated,
    likelihood.first_target_is_calibrated,
    likelihood.first_target_is_predicted_as_well,
    loss.loss_is_the_likelihood,
    loss.every_target_is_scored,
    loss.targets_equal_to_zero_count,
    loss.observed_points_are_not_scored,
    persistence.reload_predicts_the_same,
)


def find_check(name: str) -> Check:
    """The check of that name; raises ValueError with the names that exist."""
    for known in CHECKS:
        if known.name == name:
            return known
    raise ValueError(f"check must be one of {', '.join(check.name for check in CHECKS)}; got {name!r}")
