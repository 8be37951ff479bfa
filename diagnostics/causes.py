"""The faults that checks suspect, in words: what each is, and what to change."""

from dataclasses import dataclass

from diagnostics.result import Family


@dataclass(frozen=True)
class Fault:
    """A fault: its family, what it is (one clause), what to mend, and the check that it could not pass."""

    family: Family
    title: str
    mend: str
    refuted_by: str | None = None


FAULTS: dict[str, Fault] = {
    "label_blind_history": Fault(
        "position",
        "the history is label-blind: neither keys nor values know which series a past point belongs to",
        "Add the label to what queries and keys are made of, so that B's past can be told from A's.",
        refuted_by="history_labels_matter",
    ),
    "label_only_in_query": Fault(
        "position",
        "the label of the predicted point enters, but no label of the past does",
        "Give the past points their labels too: a query finds no series among keys without one.",
        refuted_by="history_labels_matter",
    ),
    "labels_not_sorted": Fault(
        "position",
        "labels were left in their old order when x was sorted",
        "Sort x, y and labels by one permutation.",
    ),
    "coarse_bins": Fault(
        "position",
        "x is put into bins that are coarse beside the distance of neighbouring points",
        "Encode x continuously, interpolate between bins, or make the bins much narrower.",
        refuted_by="x_is_resolved",
    ),
    "stuck_position": Fault(
        "position",
        "the position stands still, or counts differently, after the first step of inference",
        "Derive each position from the point itself, or advance the counter with every step.",
        refuted_by="single_step_equals_column",
    ),
    "query_off_by_one": Fault(
        "position",
        "a query is made from the x of a neighbouring point",
        "Align the x of query t with the y that prediction t is scored against.",
        refuted_by="query_position_is_its_own",
    ),
    "positions_shared_across_rows": Fault(
        "position",
        "positions of one row are used for rows of another length",
        "Count the positions of every row from its own valid points.",
    ),
    "future_leak": Fault(
        "masking",
        "a prediction can see its own target or later ones",
        "Hide keys at and after the target: the mask of target t ends at t - 1.",
        refuted_by="no_future_leak",
    ),
    "leak_in_evaluation": Fault(
        "masking",
        "the path of evaluation hides less than that of training",
        "Make one function that masks, and call it from both paths.",
    ),
    "newest_point_hidden": Fault(
        "masking",
        "the newest observed point is hidden from the first prediction",
        "Extend the mask by one: everything that is observed may be seen.",
        refuted_by="newest_point_is_seen",
    ),
    "inverted_mask": Fault(
        "masking",
        "the mask is read with the opposite meaning",
        "State one convention (True = may see) and convert at the single place that needs another.",
    ),
    "misaligned_causal_mask": Fault(
        "masking",
        "the causal mask is aligned to the wrong corner when queries and keys differ in number",
        "Compare absolute positions of queries and keys instead of indices into the mask.",
    ),
    "mask_dropped_with_scores": Fault(
        "masking",
        "the mask is not applied when attention scores are asked for",
        "Use one path, with or without the scores returned.",
    ),
    "padding_leak": Fault(
        "masking",
        "what stands in padding reaches predictions",
        "Mask padding as key, and leave it out of every average and normalisation.",
        refuted_by="padding_is_inert",
    ),
    "empty_history": Fault(
        "masking",
        "a softmax over no keys gives NaN or zeros",
        "Treat a fully masked row on its own: weights of 0, or a learnt start token.",
        refuted_by="one_context_point_is_enough",
    ),
    "mixed_rows": Fault(
        "masking",
        "the rows of a batch mix",
        "Check the axes of softmax, normalisation and reshapes: the batch axis must stay by itself.",
        refuted_by="rows_are_independent",
    ),
    "previous_value_residual": Fault(
        "feeding",
        "the value of whatever point came last is added to each prediction",
        "Take the residual from the query stream instead of from the previous token.",
        refuted_by="context_order_is_irrelevant",
    ),
    "newest_point_dropped": Fault(
        "feeding",
        "the newest point is dropped from the history at inference",
        "Slice the history up to and including the last point that was written.",
        refuted_by="newest_point_is_seen",
    ),
    "shifted_by_one": Fault(
        "feeding",
        "predictions are written one place off, over the last observed point",
        "Write prediction t at t, and leave the observed points alone.",
    ),
    "true_values_fed": Fault(
        "feeding",
        "free running is fed the true targets",
        "Feed back what was predicted; never pass the true targets to a rollout.",
        refuted_by="rollout_ignores_true_targets",
    ),
    "scaled_feedback": Fault(
        "feeding",
        "what is fed back is in other units than what was observed",
        "Undo the normalisation of outputs before they become inputs, or normalise both alike.",
    ),
    "single_sample_scale": Fault(
        "feeding",
        "the scale is wrong when a single trajectory is asked for",
        "Draw one trajectory by the same path as many.",
    ),
    "variance_for_scale": Fault(
        "feeding",
        "a scale is used where a variance is meant, or the reverse",
        "Name standard deviations `scale`, and square them only inside the density.",
        refuted_by="samples_have_the_predicted_scale",
    ),
    "reseeded_generator": Fault(
        "feeding",
        "the generator is seeded anew at every step or trajectory",
        "Make one generator before the loop and pass it on.",
        refuted_by="samples_have_the_predicted_scale",
    ),
    "stale_cache": Fault(
        "feeding",
        "cached keys and values are not those of the history that was fed back",
        "Append to the cache after every step, and mask the slots that are not yet written.",
        refuted_by="rollout_equals_stepping",
    ),
    "dropout_at_inference": Fault(
        "feeding",
        "dropout, or another random layer, is on at inference",
        "Call the model with training off.",
        refuted_by="inference_is_deterministic",
    ),
    "shuffled_training_only": Fault(
        "boundary",
        "the model was trained on shuffled points only and is used on sorted ones",
        "Mix batches in inference order into training.",
    ),
    "attention_dilution": Fault(
        "boundary",
        "every visible point keeps a least weight of attention, so many points of A outweigh few of B",
        "Remove the relu (or any floor) from the scores before the softmax.",
    ),
    "label_is_rank": Fault(
        "boundary",
        "the label is the rank of the offset, so that it gives the level away",
        "Draw labels independently of the offsets, or exchange them at random in training.",
        refuted_by="relabelling_changes_nothing",
    ),
    "level_compressed": Fault(
        "boundary",
        "a normalisation on the path of the values compresses the level",
        "Normalise queries and keys only, or carry the level around the normalisation.",
        refuted_by="prediction_follows_a_level_shift",
    ),
    "halved_log_scale": Fault(
        "likelihood",
        "log sigma has half of its weight in the loss",
        "Use 1/2 [(y - mu)^2 / sigma^2 + 2 log sigma].",
        refuted_by="loss_is_the_likelihood",
    ),
    "zero_targets_dropped": Fault(
        "likelihood",
        "targets that are exactly 0 are left out of the loss",
        "Leave out what the mask says, never what a value says.",
        refuted_by="targets_equal_to_zero_count",
    ),
    "context_scored": Fault(
        "likelihood",
        "observed points are scored in the loss",
        "Average the loss over targets only.",
        refuted_by="observed_points_are_not_scored",
    ),
    "first_target_unscored": Fault(
        "likelihood",
        "the first target is never scored",
        "Start the loss at the first target: it is the prediction that matters at the boundary.",
        refuted_by="every_target_is_scored",
    ),
    "metric_skips_first": Fault(
        "likelihood",
        "the metric begins after the first prediction",
        "Score predictions and targets by one mask.",
    ),
    "head_count_mismatch": Fault(
        "persistence",
        "the model was restored with another number of heads than it was trained with",
        "Store the whole configuration with the weights and refuse to load under another.",
    ),
    "partial_restore": Fault(
        "persistence",
        "not every weight was restored",
        "Check on loading that every weight of the file and of the model was used.",
    ),
}
