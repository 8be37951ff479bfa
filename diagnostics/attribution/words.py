"""The sentence of each row of an attribution: what was found, with its figure, fit to be quoted.

An effect is claimed only where the whole interval lies on one side of 0 by more than rounding; else the
sentence says that there is no part that these pairs show.
"""

from diagnostics.ask import SubjectError
from diagnostics.attribution.training_order import TrainingOrder
from diagnostics.result import Curve, Estimate, Where

# Two paths of float32 agree to about 1e-6 of y; what is smaller than this is nobody's part.
LEAST_DRIFT = 1e-4
LEAST_SHARE = 1e-4
# A change of the drift fraction by less is not seen in a plot; as in the checks of the boundary.
PLAIN_DRIFT = 0.05

NO_ORACLE = (
    "Information that nobody has is left out, and with it the error in training beyond the exact posterior:"
    " no process is known, so there is no exact posterior, and what no one could know stays in the row of"
    " the training order."
)
NO_ORDER = (
    "The order of the history is left out of the sum: training batches show forecast order already, so it is"
    " no mismatch; a probe puts the history into random order instead."
)
NO_GAP = "Labels and dilution are left out: single sequences have no A."
NO_RELOAD = "Save and restore are left out: the subject does not offer reload."

_WHERE: dict[Where, str] = {
    "first": "At the first target",
    "later": "At the later targets",
    "training": "In training",
}
_TITLES = {
    "oracle": "unknowable (exact GP)",
    "training_order": "lacking in training order",
    "history_order": "order of the history",
    "free_running": "free running",
    "total": "error in free running",
}
_PROBE_TITLES = {
    "random_order": "history in random order",
    "labels_flipped": "labels flipped",
    "labels_hidden": "labels hidden",
    "gap_closed": "A on the level of B",
    "half_of_a": "half of A's points",
    "quarter_of_a": "a quarter of A's points",
    "reloaded": "saved and restored",
}
# part: what is said where it adds error, where it takes error away, and where these pairs show neither
_PARTS = {
    "oracle": (
        "{found}{of_total} is information that nobody has: the exact posterior, which sees the same observed"
        " points, errs by as much",
        "",
        "no part of the squared error is shown to be information that nobody has: the exact posterior errs"
        " by {found}",
    ),
    "training_order": (
        "{found}{of_total} is lacking even in training order: with the true past {order} the subject errs by"
        " that much more than the exact posterior",
        "nothing is lacking in training order: with the true past {order} the subject errs less than the"
        " exact posterior, by {less}",
        "no part of the squared error is shown to be lacking in training order: with the true past {order}"
        " the difference from the exact posterior is {found}",
    ),
    "history_order": (
        "{found}{of_total} comes with the order of the history: from the same points in random order the"
        " subject errs by that much less",
        "the order of the history takes error away: from the same points in random order the subject errs"
        " by {less} more",
        "no part of the squared error is shown to come with the order of the history: with the same points"
        " in random order the difference is {found}",
    ),
    "free_running": (
        "{found}{of_total} comes with free running: feeding back its own predictions costs the subject that"
        " much more than it costs the exact posterior",
        "free running adds nothing: feeding back its own predictions costs the subject {less} less than it"
        " costs the exact posterior",
        "no part of the squared error is shown to come with free running: what feeding back its own"
        " predictions costs the subject differs from what it costs the exact posterior by {found}",
    ),
    "first_step": (
        "{found}{of_total} comes with the step of inference: from the same points the parallel pass errs by"
        " that much less",
        "the step of inference takes error away: from the same points the parallel pass errs by {less} more",
        "no part of the squared error is shown to come with the step of inference: from the same points the"
        " parallel pass differs from it by {found}",
    ),
}
# probe: what is done to the history, and what it means where the drift moves, and where it stays
_PROBES = {
    "random_order": (
        "history in random order",
        "the order moves the level",
        "the order does not move the level",
    ),
    "labels_flipped": (
        "the labels of the history flipped",
        "the subject reads the labels of past points",
        "the labels of past points do not reach this prediction",
    ),
    "labels_hidden": (
        "the labels of the history hidden (all equal)",
        "the labels of past points decide on which level the forecast stands",
        "the labels of past points have no part in the level",
    ),
    "gap_closed": (
        "A moved onto the level of B",
        "the change is the pull of A's level",
        "the level of A does not pull the forecast",
    ),
    "half_of_a": (
        "half of the points of A",
        "the number of A's points moves the level",
        "the number of A's points has no part in the level",
    ),
    "quarter_of_a": (
        "a quarter of the points of A",
        "the number of A's points moves the level",
        "the number of A's points has no part in the level",
    ),
    "reloaded": (
        "the subject saved and restored",
        "what was restored is not what was saved",
        "save and restore have no part in it",
    ),
}


def training_order(training: TrainingOrder) -> str:
    """What stands for the order of the training, and how that is known."""
    if training.is_forecast:
        return "Training batches show forecast order, so that is the training order."
    if training.batch is not None:
        return "Training batches do not show forecast order; a random permutation is the training order."
    return f"A random permutation is taken for the training order, because {training.why_not}."


def no_training(training: TrainingOrder) -> str:
    """Why nothing is said of the error in training."""
    return f"The error in training is left out: {training.why_not}."


def refused(name: str, error: SubjectError) -> str:
    """Why a probe is missing."""
    return f"The probe with {_PROBES[name][0]} is left out: {error}."


def part_title(name: str, where: Where) -> str:
    """A few words for a table or a picture."""
    return "step of inference" if (name, where) == ("free_running", "first") else _TITLES[name]


def probe_title(name: str) -> str:
    """What is done, in a few words."""
    return _PROBE_TITLES[name]


def part(name: str, where: Where, found: Estimate, total: Estimate, training: TrainingOrder) -> str:
    """The sentence of a part of `total`."""
    key = "first_step" if (name, where) == ("free_running", "first") else name
    least = LEAST_SHARE * total.value
    template = _PARTS[key][{1: 0, -1: 1, 0: 2}[_sign(found, least)]]
    order = "in forecast order (as in training)" if training.is_forecast else "in random order"
    text = template.format(
        found=amount(found), less=amount(_negative(found)), of_total=_of_total(found, total), order=order
    )
    return f"{_WHERE[where]}, {text}."


def total(where: Where, found: Estimate, drift: Estimate | None) -> str:
    """The sentence of what the parts add up to."""
    drifted = f", and the drift fraction {amount(drift)}" if drift else ""
    return f"{_WHERE[where]}, the mean squared error in free running is {amount(found)}{drifted}."


def in_training(found: Estimate) -> str:
    """The sentence of the error in training beyond the exact posterior's."""
    if _sign(found, 0.0) > 0:
        meaning = "by that much the subject was lacking before anything was forecast"
    else:
        meaning = "the subject is not shown to lack anything there"
    return (
        "Over all targets of fresh training batches the squared error differs from the exact posterior's by"
        f" {amount(found)}: {meaning}."
    )


def probe(
    name: str, before: Estimate | None, after: Estimate | None, moved: Estimate | None, error: Estimate
) -> str:
    """The sentence of a probe: the drift fraction where it is defined, else the squared error."""
    done, moves, stays = _PROBES[name]
    if before is None or after is None or moved is None:
        meaning = moves if _sign(error, LEAST_DRIFT) else stays
        return f"With {done}, the squared error at the first target changes by {amount(error)}: {meaning}."
    if _sign(moved, LEAST_DRIFT):
        seen = "" if max(abs(moved.low), abs(moved.high)) > PLAIN_DRIFT else ", though too little to be seen"
        change = f"goes from {figure(before.value)} to {figure(after.value)} (change {amount(moved)})"
        return f"With {done}, the drift fraction at the first target {change}: {moves}{seen}."
    change = f"is {figure(after.value)}, without the probe {figure(before.value)} (change {amount(moved)})"
    return f"With {done}, the drift fraction at the first target {change}: {stays}."


def by_target(curve: Curve) -> str:
    """What free running adds at a few targets."""
    num = len(curve.at)
    chosen = sorted({place for place in (1, 5, 10, 20, num - 1) if 0 < place < num})
    said = ", ".join(f"{figure(curve.value[place])} at target {curve.at[place]:.0f}" for place in chosen)
    return f"What free running adds, by target: {said}." if chosen else ""


def amount(found: Estimate) -> str:
    """`0.41 [0.35, 0.47]`."""
    return f"{figure(found.value)} [{figure(found.low)}, {figure(found.high)}]"


def figure(value: float) -> str:
    """Three digits; what is below 5e-5 is 0."""
    return f"{value:.3g}" if abs(value) >= 5e-5 else "0"


def _of_total(found: Estimate, total: Estimate) -> str:
    if found.value > total.value:
        return (
            f", more than the whole squared error of {figure(total.value)}, from which other parts take away,"
        )
    return f" of the squared error of {figure(total.value)} ({100 * found.value / total.value:.0f} %)"


def _negative(found: Estimate) -> Estimate:
    return Estimate(value=-found.value, low=-found.high, high=-found.low)


def _sign(found: Estimate, least: float) -> int:
    """1 or -1 where the whole interval lies beyond `least` on that side, else 0."""
    return int(found.low > least) - int(found.high < -least)
