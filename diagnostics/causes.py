"""The faults that checks suspect, in words: what each is, and what to change."""

from dataclasses import dataclass

from diagnostics.result import Family


@dataclass(frozen=True)
class Fault:
    """A fault: its family, what it is (one clause), and what to mend.

    all_of         checks that it cannot pass: it is struck off when one of them passed, or failed in a way
                   that does not point at it
    any_of         checks of which it cannot pass all: it is struck off when all of them passed
    unless         checks whose failure explains what else would point at it: it is then named last
    disturbs_all   where it is present no two calls can be compared, so it is named first
    """

    family: Family
    title: str
    mend: str
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    disturbs_all: bool = False


# A change of the code since the record was written breaks one of these; a wrong restore breaks none.
CONTRACTS_OF_THE_CODE = (
    "query_position_is_its_own",
    "x_is_resolved",
    "single_step_equals_column",
    "rows_of_unequal_length_agree",
    "no_future_leak",
    "rows_are_independent",
    "one_context_point_is_enough",
    "inference_is_deterministic",
    "loss_is_the_likelihood",
    "observed_points_are_not_scored",
)

FAULTS: dict[str, Fault] = {
    "label_blind_history": Fault(
        "position",
        "the history is label-blind: neither keys nor values know which series a past point belongs to",
        "Add the label to what queries and keys are made of, so that B's past can be told from A's.",
        all_of=("history_labels_matter",),
    ),
    "label_only_in_query": Fault(
        "position",
        "the label of the predicted point enters, but no label of the past does",
        "Give the past points their labels too: a query finds no series among keys without one.",
        all_of=("history_labels_matter",),
    ),
    "labels_not_sorted": Fault(
        "position",
        "labels were left in their old order when x was sorted",
        "Sort x, y and labels by one permutation.",
        all_of=("training_batches_follow_the_process",),
    ),
    "coarse_bins": Fault(
        "position",
        "x is put into bins that are coarse beside the distance of neighbouring points",
        "Encode x continuously, interpolate between bins, or make the bins much narrower.",
        all_of=("x_is_resolved",),
    ),
    "stuck_position": Fault(
        "position",
        "the position stands still, or counts differently, after the first step of inference",
        "Derive each position from the point itself, or advance the counter with every step.",
        all_of=("single_step_equals_column",),
    ),
    "query_off_by_one": Fault(
        "position",
        "a query is made from the x of a neighbouring point",
        "Align the x of query t with the y that prediction t is scored against.",
        all_of=("query_position_is_its_own",),
    ),
    "positions_shared_across_rows": Fault(
        "position",
        "positions of one row are used for rows of another length",
        "Count the positions of every row from its own valid points.",
        all_of=("rows_of_unequal_length_agree",),
    ),
    "future_leak": Fault(
        "masking",
        "a prediction can see its own target or later ones",
        "Hide keys at and after the target: the mask of target t ends at t - 1.",
        all_of=("no_future_leak",),
    ),
    "leak_in_evaluation": Fault(
        "masking",
        "the path of evaluation hides less than that of training",
        "Make one function that masks, and call it from both paths.",
        all_of=("no_future_leak", "loss_is_the_likelihood"),
    ),
    "newest_point_hidden": Fault(
        "masking",
        "the newest observed point is hidden from the first prediction",
        "Extend the mask by one: everything that is observed may be seen.",
        all_of=("newest_point_weighs_as_it_should",),
        unless=("no_future_leak",),
    ),
    "inverted_mask": Fault(
        "masking",
        "the mask is read with the opposite meaning",
        "State one convention (True = may see) and convert at the single place that needs another.",
        all_of=("no_future_leak", "padding_is_inert"),
    ),
    "misaligned_causal_mask": Fault(
        "masking",
        "the causal mask is aligned to the wrong corner when queries and keys differ in number",
        "Compare absolute positions of queries and keys instead of indices into the mask.",
        all_of=("single_step_equals_column", "rows_of_unequal_length_agree"),
        unless=("no_future_leak",),
    ),
    "mask_dropped_with_scores": Fault(
        "masking",
        "the mask is not applied when attention scores are asked for",
        "Use one path, with or without the scores returned.",
        all_of=("attention_rows_sum_to_one",),
    ),
    "padding_leak": Fault(
        "masking",
        "what stands in padding reaches predictions",
        "Mask padding as key, and leave it out of every average and normalisation.",
        all_of=("padding_is_inert",),
    ),
    "empty_history": Fault(
        "masking",
        "a softmax over no keys gives NaN or zeros",
        "Treat a fully masked row on its own: weights of 0, or a learnt start token.",
        all_of=("one_context_point_is_enough",),
    ),
    "mixed_rows": Fault(
        "masking",
        "the rows of a batch mix",
        "Check the axes of softmax, normalisation and reshapes: the batch axis must stay by itself.",
        all_of=("rows_are_independent",),
    ),
    "previous_value_residual": Fault(
        "feeding",
        "the value of whatever point came last is added to each prediction",
        "Take the residual from the query stream instead of from the previous token.",
        all_of=("context_order_is_irrelevant",),
    ),
    "newest_point_dropped": Fault(
        "feeding",
        "the newest point is dropped from the history at inference",
        "Slice the history up to and including the last point that was written.",
        all_of=("newest_point_is_seen", "single_step_equals_column"),
        unless=("no_future_leak",),
    ),
    "shifted_by_one": Fault(
        "feeding",
        "predictions are written one place off, over the last observed point",
        "Write prediction t at t, and leave the observed points alone.",
        all_of=("rollout_keeps_the_context",),
    ),
    "true_values_fed": Fault(
        "feeding",
        "free running is fed the true targets",
        "Feed back what was predicted; never pass the true targets to a rollout.",
        all_of=("rollout_ignores_true_targets",),
    ),
    "scaled_feedback": Fault(
        "feeding",
        "what is fed back is in other units than what was observed",
        "Undo the normalisation of outputs before they become inputs, or normalise both alike.",
        any_of=("single_step_equals_column", "rollout_equals_stepping"),
    ),
    "single_sample_scale": Fault(
        "feeding",
        "the scale is wrong when a single trajectory is asked for",
        "Draw one trajectory by the same path as many.",
        all_of=("one_trajectory_equals_many",),
        # a step that is not what was trained may, fed back, blow roundings up until no two rollouts agree
        unless=("single_step_equals_column",),
    ),
    "variance_for_scale": Fault(
        "feeding",
        "a scale is used where a variance is meant, or the reverse",
        "Name standard deviations `scale`, and square them only inside the density.",
        all_of=("samples_have_the_predicted_scale",),
    ),
    "reseeded_generator": Fault(
        "feeding",
        "the generator is seeded anew at every step or trajectory",
        "Make one generator before the loop and pass it on.",
        all_of=("samples_have_the_predicted_scale",),
    ),
    "stale_cache": Fault(
        "feeding",
        "cached keys and values are not those of the history that was fed back",
        "Append to the cache after every step, and mask the slots that are not yet written.",
        any_of=("single_step_equals_column", "rollout_equals_stepping"),
    ),
    "dropout_at_inference": Fault(
        "feeding",
        "dropout, or another random layer, is on at inference",
        "Call the model with training off.",
        all_of=("inference_is_deterministic",),
        disturbs_all=True,
    ),
    "shuffled_training_only": Fault(
        "boundary",
        "the model was trained on shuffled points only and is used on sorted ones",
        "Mix batches in inference order into training.",
        all_of=("forecast_order_was_trained",),
    ),
    "attention_dilution": Fault(
        "boundary",
        "every visible point keeps a least weight of attention, so many points of A outweigh few of B",
        "Remove the relu (or any floor) from the scores before the softmax.",
        all_of=("attention_has_no_floor",),
    ),
    "label_is_rank": Fault(
        "boundary",
        "the label is the rank of the offset, so that it gives the level away",
        "Draw labels independently of the offsets, or exchange them at random in training.",
        all_of=("relabelling_changes_nothing",),
    ),
    "level_compressed": Fault(
        "boundary",
        "a normalisation on the path of the values compresses the level",
        "Normalise queries and keys only, or carry the level around the normalisation.",
        all_of=("prediction_follows_a_level_shift",),
    ),
    "halved_log_scale": Fault(
        "likelihood",
        "log sigma has half of its weight in the loss",
        "Use 1/2 [(y - mu)^2 / sigma^2 + 2 log sigma].",
        all_of=("loss_is_the_likelihood",),
        unless=("no_future_leak",),
    ),
    "zero_targets_dropped": Fault(
        "likelihood",
        "targets that are exactly 0 are left out of the loss",
        "Leave out what the mask says, never what a value says.",
        all_of=("targets_equal_to_zero_count",),
    ),
    "context_scored": Fault(
        "likelihood",
        "observed points are scored in the loss",
        "Average the loss over targets only.",
        all_of=("observed_points_are_not_scored", "loss_is_the_likelihood"),
        unless=("no_future_leak",),
    ),
    "first_target_unscored": Fault(
        "likelihood",
        "the first target is never scored",
        "Start the loss at the first target: it is the prediction that matters at the boundary.",
        all_of=("every_target_is_scored",),
        unless=("no_future_leak",),
    ),
    "metric_skips_first": Fault(
        "likelihood",
        "the metric begins after the first prediction",
        "Score predictions and targets by one mask.",
        all_of=("metric_counts_every_target",),
    ),
    "head_count_mismatch": Fault(
        "persistence",
        "the model was restored with another number of heads than it was trained with",
        "Store the whole configuration with the weights and refuse to load under another.",
        any_of=("record_is_reproduced", "reload_predicts_the_same"),
        unless=CONTRACTS_OF_THE_CODE,
    ),
    "partial_restore": Fault(
        "persistence",
        "not every weight was restored",
        "Check on loading that every weight of the file and of the model was used.",
        any_of=("record_is_reproduced", "reload_predicts_the_same"),
        unless=CONTRACTS_OF_THE_CODE,
    ),
    "x_before_sorting": Fault(
        "position",
        "x was encoded before the points were sorted, so that positions do not belong to their y",
        "Encode x after sorting, or move the codes with the points.",
        all_of=("training_batches_follow_the_process",),
    ),
    "row_order_lost": Fault(
        "position",
        "predictions come back in another order of rows than they were asked for",
        "Carry the index of every row along, and put predictions back by it.",
        all_of=("rows_are_independent",),
        disturbs_all=True,
    ),
    "zero_taken_for_padding": Fault(
        "masking",
        "a feature that is exactly 0 is taken for padding",
        "Mask by the valid points, never by a value.",
        all_of=("zero_is_a_value",),
    ),
    "bin_index_fed": Fault(
        "feeding",
        "the index of a bin is fed back where y is expected",
        "Feed back y itself; keep indices for the embedding.",
        any_of=("single_step_equals_column", "rollout_equals_stepping"),
    ),
    "shared_draws": Fault(
        "data",
        "all rows are drawn from the same normal numbers, as with a fixed default seed of a sampler",
        "Pass one generator on from row to row.",
        all_of=("pairs_are_independent",),
    ),
    "shared_noise": Fault(
        "data",
        "one vector of noise is added to all rows",
        "Draw the noise of every row anew.",
        all_of=("noise_is_independent",),
    ),
    "arrays_swapped": Fault(
        "data",
        "arrays changed places when they were read (as when files are taken in the order of a directory)",
        "Store arrays by name with a schema and a checksum, and check the ranges on reading.",
        all_of=("pairs_follow_their_process",),
    ),
}
