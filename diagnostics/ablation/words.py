"""What an ablation shows, in sentences that its intervals decide; none is written by hand.

The symptom is *there* in a row where the whole interval of the drift fraction lies above PLAIN_DRIFT, *gone*
where it lies within PLAIN_DRIFT of 0, else *open*.
"""

from collections.abc import Sequence
from typing import Literal

from diagnostics.ablation.result import HALF_HALF, SHUFFLE, Ablation, AblationRow
from diagnostics.attribution.words import PLAIN_DRIFT
from diagnostics.result import Estimate

Verdict = Literal["there", "gone", "open"]
NO_LABELS = "a history without labels"
OTHER_HEADS = "another number of heads when restored"
_WHERE = {"drift_first": "At the first target", "drift_later": "At the later targets"}
_VERDICTS: dict[Verdict, str] = {"there": "is there", "gone": "is gone", "open": "is not settled"}


def verdict(drift: Estimate) -> Verdict:
    """Whether a drift fraction shows the symptom."""
    if drift.low > PLAIN_DRIFT:
        return "there"
    return "gone" if drift.low > -PLAIN_DRIFT and drift.high < PLAIN_DRIFT else "open"


def ablation_in_words(ablation: Ablation) -> tuple[str, ...]:
    """What was found, a sentence an item."""
    symptoms = {
        "drift_first": "the drop at the first target",
        "drift_later": f"the wrong level from target {ablation.later} on",
    }
    said = []
    for name, symptom in symptoms.items():
        said += _of_cube(ablation, name, symptom)
        said.append(_of_order(ablation, name, symptom))
        said += _of_switches(ablation, name, symptom)
    return (*said, *_in_training_order(ablation))


def _of_cube(ablation: Ablation, name: str, symptom: str) -> list[str]:
    """One sentence for each choice of labels and heads, and what follows from them."""
    other = next((row.heads for row in ablation.cube if not row.same_heads), "")
    groups = {
        (True, True): "With labels in queries and keys and the same number of heads",
        (False, True): "Without labels and with the same number of heads",
        (True, False): f"With labels and with another number of heads when restored ({other})",
        (False, False): f"Without labels and with another number of heads ({other})",
    }
    said = []
    for (labels, same), opening in groups.items():
        rows = [r for r in ablation.cube if (r.labels_in_qk, r.same_heads) == (labels, same)]
        said.append(f"{opening}, {symptom} {_verdict_of_all(rows, name)}: {_by_regime(rows, name)}.")
    return [*said, *_conclusions(ablation, name, symptom)]


def _verdict_of_all(rows: Sequence[AblationRow], name: str) -> str:
    verdicts = {verdict(row.measures[name]) for row in rows}
    if len(verdicts) == 1:
        return _VERDICTS[verdicts.pop()]
    return "depends on the order of training" if verdicts == {"there", "gone"} else "is not settled"


def _by_regime(rows: Sequence[AblationRow], name: str) -> str:
    return ", ".join(f"{amount(row.measures[name])} trained on {row.regime}" for row in rows)


def _conclusions(ablation: Ablation, name: str, symptom: str) -> list[str]:
    """Which cause suffices: one sentence where both orders of training agree, else one each."""
    found = {regime: _sufficient(ablation, name, symptom, regime) for regime in (SHUFFLE, HALF_HALF)}
    if len(set(found.values())) == 1:
        return [f"In either order of training {found[SHUFFLE]}."]
    return [f"Trained on {regime}, {what}." for regime, what in found.items()]


def _sufficient(ablation: Ablation, name: str, symptom: str, regime: str) -> str:
    by_cause = {
        (row.labels_in_qk, row.same_heads): verdict(row.measures[name])
        for row in ablation.cube
        if row.regime == regime
    }
    if by_cause[True, True] != "gone":
        return f"{symptom} is not shown to be gone even with labels and the same number of heads"
    suffices = [
        cause
        for cause, corner in ((NO_LABELS, (False, True)), (OTHER_HEADS, (True, False)))
        if by_cause[corner] == "there"
    ]
    if len(suffices) == 2:
        return f"each of two causes suffices for {symptom}: {NO_LABELS}, and {OTHER_HEADS}"
    if not suffices:
        return f"neither {NO_LABELS} nor {OTHER_HEADS} is shown to suffice for {symptom}"
    other = OTHER_HEADS if suffices == [NO_LABELS] else NO_LABELS
    return f"{suffices[0]} suffices for {symptom}; that {other} does is not shown"


def _of_order(ablation: Ablation, name: str, symptom: str) -> str:
    """What training on orders like those of inference changes in the historic decoder."""
    row = next(r for r in ablation.cube if not r.labels_in_qk and r.same_heads and r.regime == HALF_HALF)
    change = row.differences[name]
    moves = {1: "plainly raises", -1: "plainly lowers", 0: "does not plainly change"}[_sign(change)]
    return (
        f"Training the historic decoder on {HALF_HALF} instead of {SHUFFLE} {moves} the drift"
        f" ({amount(change)}); after it, {symptom} {_VERDICTS[verdict(row.measures[name])]}."
    )


def _of_switches(ablation: Ablation, name: str, symptom: str) -> list[str]:
    """Which traits of the historic decoder the symptom needs, and which make it larger or smaller."""
    if verdict(ablation.historic.measures[name]) != "there":
        return [f"The historic decoder does not show {symptom}, so nothing is said of its other traits."]
    said = []
    meanings: dict[Verdict, str] = {
        "there": " still, so it needs none of these",
        "gone": ", so it needs each of these",
        "open": "",
    }
    for found, meaning in meanings.items():
        rows = [row for row in ablation.switches if verdict(row.measures[name]) == found]
        if rows:
            traits = ", ".join(f"{row.trait_off} {amount(row.measures[name])}" for row in rows)
            said.append(f"With one trait off, {symptom} {_VERDICTS[found]}{meaning}: {traits}.")
    for sign, moved in ((-1, "lower"), (1, "higher")):
        changed = [row for row in ablation.switches if _sign(row.differences[name]) == sign]
        traits = ", ".join(f"{row.trait_off} off ({amount(row.differences[name])})" for row in changed)
        if changed:
            said.append(
                f"{_WHERE[name]}, the drift is plainly {moved} than the historic decoder's with {traits}."
            )
    return said


def _in_training_order(ablation: Ablation) -> list[str]:
    """R^2 in the order of training, of the rows with the drop and of those without."""
    said = []
    for found, rows_are in (("there", "with the drop"), ("gone", "without the drop")):
        values = [
            row.measures["r2_shuffled"].value
            for row in ablation.rows
            if verdict(row.measures["drift_first"]) == found
        ]
        if values:
            said.append(f"{min(values):.2f} to {max(values):.2f} in the rows {rows_are} at the first target")
    return [f"R² on shuffled pairs, teacher forced: {'; '.join(said)}."] if said else []


def _sign(change: Estimate) -> int:
    """1 or -1 where the whole interval of a change lies beyond PLAIN_DRIFT on that side, else 0."""
    return int(change.low > PLAIN_DRIFT) - int(change.high < -PLAIN_DRIFT)


def amount(found: Estimate) -> str:
    """`0.25 [0.21, 0.28]`."""
    return f"{figure(found.value)} [{figure(found.low)}, {figure(found.high)}]"


def figure(value: float) -> str:
    """Two digits after the point, and no minus before 0.00."""
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown
