"""Position: does every prediction know which point it is for, and which series the past points belong to?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Bools, Floats, Prediction
from diagnostics.ask import ask_column, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import at, first_target, flip_series, random_targets, some_columns, x_range
from diagnostics.judge import arithmetic_tolerance, difference, must_move, must_not_move, smallest_move, worst
from diagnostics.measures import target_columns
from diagnostics.subject import Subject

# A staircase: so large a share of all movement is made by so few of the steps.
NUM_STEPS = 32
LARGEST_STEPS = NUM_STEPS // 4
SHARE_OF_A_STAIRCASE = 0.9
# What makes a step of inference differ from the parallel pass: before, or only after something was fed back.
OF_THE_FIRST_STEP = (
    "newest_point_dropped",
    "newest_point_hidden",
    "misaligned_causal_mask",
    "query_off_by_one",
    "future_leak",
)
OF_LATER_STEPS = ("stale_cache", "scaled_feedback", "bin_index_fed")


@check(
    family="position",
    suspects=("label_blind_history", "label_only_in_query", "labels_not_sorted"),
)
def history_labels_matter(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a prediction change when the labels of the observed points are exchanged?

    The labels 0 and 1 of the context are flipped, those of the targets stay, so that B's past is now
    called A's.  A model that tells the series apart must predict something else; one whose keys and
    values carry no label cannot, and takes the level of B from the points of both.

    Beside other checks: drift has many causes, and flipped labels alone tell that it is the labels.
    """
    if not scenario.has_two_series:
        return Finding("skipped", "single sequences have no second label")
    batch = scenario.forecast
    before = ask_teacher_force(subject, batch)
    after = ask_teacher_force(subject, flip_series(batch, batch.is_context))
    return must_move(
        difference(before, after, batch.is_target),
        smallest_move(before),
        passed="the model knows which past point belongs to which series",
        failed="flipping the labels of the history changes nothing, so the history is label-blind",
    )


@check(
    family="position",
    suspects=("query_off_by_one", "stuck_position", "future_leak"),
)
def query_position_is_its_own(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does moving the x of one target move its own prediction, and none before it?

    In every row one random target is moved by a tenth of the range of x, towards the middle.  If its own
    prediction stays, the query uses another point's x; if an earlier one moves, the query is late by one.

    Beside other checks: the two paths may share a query at the wrong place and so agree, and a step that
    disagrees with its column does not say that x is why.
    """
    batch = scenario.forecast
    before = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, before, rng)
    columns = random_targets(batch, rng)
    after = ask_teacher_force(subject, _towards_middle(batch, at(columns, batch)))
    earlier = batch.is_target & (np.arange(batch.num_points) < columns[:, None])
    return worst(
        must_move(
            difference(before, after, batch.is_target & at(columns, batch)),
            smallest_move(before),
            passed="each query is placed at its own x, and no earlier prediction moved",
            failed="moving the x of a target leaves its own prediction, so the query is placed elsewhere",
        ),
        must_not_move(
            difference(before, after, earlier),
            tolerance,
            passed="no earlier prediction moved",
            failed="moving the x of a target moves predictions before it, so queries are out of step",
        ),
    )


def _towards_middle(batch: Batch, where: Bools) -> Batch:
    """The x of the points at `where` [B,L] moved by a tenth of the range of x."""
    low, high = x_range(batch)
    move = np.where(batch.x > (low + high) / 2, -0.1, 0.1) * (high - low)
    return replace(batch, x=batch.x + np.where(where, move, 0.0))


@check(family="position", suspects=("coarse_bins", "query_off_by_one"))
def x_is_resolved(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a prediction follow x smoothly, over the typical distance between neighbouring points?

    The x of a row's first target is moved in 32 small steps over that distance.  Where x is put into
    bins the prediction is a staircase: a few steps make all of the movement.  Judged is the share of the
    movement that the largest quarter of the steps makes, 0.25 for a straight line and 1 for a
    staircase; bins narrower than an eighth of the distance pass, since no plot would show them.

    Beside other checks: coarse bins break no contract between paths; without a record they show nowhere else.
    """
    batch = _small_moves(scenario.forecast)
    prediction = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, prediction, rng)
    moves = _moves(prediction, batch)
    total = moves.sum(axis=1)
    has_moved = total > tolerance
    if not has_moved.any():
        detail = (
            f"moving x over the distance between neighbours moved no prediction by more than {tolerance:.1g}"
        )
        return Finding(
            "failed",
            f"{detail}: x is not resolved at all",
            1.0,
            SHARE_OF_A_STAIRCASE,
            suspects=("query_off_by_one", "coarse_bins"),
        )
    largest = np.sort(moves, axis=1)[:, -LARGEST_STEPS:].sum(axis=1)
    share = float(np.median(largest[has_moved] / total[has_moved]))
    figures = f"the largest quarter of small moves of x makes {share:.0%} of the movement"
    if share > SHARE_OF_A_STAIRCASE:
        detail = f"{figures}: the prediction is a staircase, so x is put into coarse bins"
        return Finding("failed", detail, share, SHARE_OF_A_STAIRCASE)
    return Finding("passed", f"{figures}: the prediction follows x", share, SHARE_OF_A_STAIRCASE)


def _small_moves(batch: Batch) -> Batch:
    """The first rows, each repeated NUM_STEPS times with the x of its first target one step further."""
    index = np.arange(max(batch.num_pairs, NUM_STEPS))
    repeated = batch.rows(index // NUM_STEPS)
    low, high = x_range(batch)
    spacing = (high - low) / batch.is_target.sum(axis=1).max()
    move = spacing * (index % NUM_STEPS) / NUM_STEPS
    return replace(repeated, x=repeated.x + at(target_columns(repeated), repeated) * move[:, None])


def _moves(prediction: Prediction, batch: Batch) -> Floats:
    """How far each step moved the mean and the scale together [rows, NUM_STEPS - 1]."""
    num_rows = batch.num_pairs // NUM_STEPS
    moves: Floats = np.zeros((num_rows, NUM_STEPS - 1))
    for values in (prediction.mean, prediction.scale):
        path = first_target(batch, values)[: num_rows * NUM_STEPS].reshape(num_rows, NUM_STEPS)
        moves = moves + np.abs(np.diff(path, axis=1))
    return moves


@check(
    family="position",
    suspects=("stuck_position", *OF_LATER_STEPS, *OF_THE_FIRST_STEP),
)
def single_step_equals_column(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does one step of inference equal the same column of the parallel pass?

    predict_next, given the true past, is compared with teacher_force at the first, second, middle and
    last target.  The two are the same maths; where they differ, the model that is used is not the model
    that was trained (positions or masks that count differently, say).
    """
    batch = scenario.forecast
    parallel = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, parallel, rng)
    apart = np.zeros(batch.x.shape)
    for column in some_columns(batch):
        due = batch.is_target[:, column : column + 1]
        same_column = Prediction(parallel.mean[:, [column]], parallel.scale[:, [column]])
        apart[:, [column]] = difference(same_column, ask_column(subject, batch, column), due)
    bad = np.flatnonzero((apart > tolerance).any(axis=0)) - int(batch.num_context.min()) + 1
    finding = must_not_move(
        apart,
        tolerance,
        passed="one step of inference is the same maths as the parallel pass",
        failed=f"the inference step is not what was trained, at target {', '.join(map(str, bad))}",
    )
    if finding.status != "failed":
        return finding
    return _narrowed(finding, subject, batch, first_agrees=1 not in bad)


def _narrowed(finding: Finding, subject: Subject, batch: Batch, *, first_agrees: bool) -> Finding:
    """What differs from the first target on is not what differs only once something was fed back."""
    if not first_agrees:
        return replace(finding, suspects=OF_THE_FIRST_STEP)
    column = some_columns(batch)[-1]
    elsewhere = _towards_middle(batch, at(np.full(batch.num_pairs, column), batch))
    before, after = ask_column(subject, batch, column), ask_column(subject, elsewhere, column)
    moved = difference(before, after, np.ones(before.mean.shape, bool))
    if moved.max() <= smallest_move(before):
        detail = f"{finding.detail}; there the step does not follow its own x"
        return replace(finding, detail=detail, suspects=("stuck_position",))
    return replace(finding, suspects=OF_LATER_STEPS)
