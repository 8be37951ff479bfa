"""The faults of the catalogue, injected into the project's own code path; CATALOGUE is the manifest."""

from diagnostics.faults import boundary, data, feeding, likelihood, masking, persistence, position
from diagnostics.faults.injection import Injection

CATALOGUE: tuple[Injection, ...] = (
    position.label_blind_history,
    position.label_only_in_query,
    position.x_before_sorting,
    position.labels_not_sorted,
    position.coarse_bins,
    position.positions_shared_across_rows,
    position.stuck_position,
    position.query_off_by_one,
    position.row_order_lost,
    masking.future_leak,
    masking.leak_in_evaluation,
    masking.newest_point_hidden,
    masking.inverted_mask,
    masking.misaligned_causal_mask,
    masking.mask_dropped_with_scores,
    masking.zero_taken_for_padding,
    masking.padding_leak,
    masking.empty_history,
    feeding.previous_value_residual,
    feeding.newest_point_dropped,
    feeding.shifted_by_one,
    feeding.true_values_fed,
    feeding.scaled_feedback,
    feeding.single_sample_scale,
    feeding.variance_for_scale,
    feeding.reseeded_generator,
    feeding.stale_cache,
    feeding.dropout_at_inference,
    feeding.bin_index_fed,
    boundary.shuffled_training_only,
    boundary.attention_dilution,
    boundary.label_is_rank,
    boundary.level_compressed,
    likelihood.halved_log_scale,
    likelihood.zero_targets_dropped,
    likelihood.context_scored,
    likelihood.first_target_unscored,
    likelihood.metric_skips_first,
    persistence.head_count_mismatch,
    persistence.partial_restore,
    data.shared_draws,
    data.shared_noise,
    data.arrays_swapped,
    masking.mixed_rows,
)


def find_injection(fault: str) -> Injection:
    """The injection of that fault; raises ValueError with the names that exist."""
    for known in CATALOGUE:
        if known.fault == fault:
            return known
    raise ValueError(f"fault must be one of {', '.join(known.fault for known in CATALOGUE)}; got {fault!r}")
