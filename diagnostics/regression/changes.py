"""What a comparison with a baseline says: every measure and every check, before and after."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from diagnostics.result import Status

SCHEMA_VERSION = 1

Verdict = Literal["worse", "better", "unchanged", "undirected"]
CheckVerdict = Literal["newly failed", "no longer fails", "unanswered", "new check", "changed", "unchanged"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class MeasureChange(_Value):
    """One measure before and after; the difference (new - old) has a 95 % interval of its own.

    p_value   of the change, before Holm's correction; None where the measure has no direction
    """

    name: str
    meaning: str
    old: float
    new: float
    difference: float
    low: float
    high: float
    p_value: float | None
    verdict: Verdict


class CheckChange(_Value):
    """One check before and after; None where a battery did not hold it.

    newly failed      it fails and did not       unanswered   an error now, or an answer then and none now
    no longer fails   it failed and passes       new check    not in the baseline, so nothing follows
    """

    check: str
    old: Status | None
    new: Status | None
    detail: str
    verdict: CheckVerdict


class Comparison(_Value):
    """What a change did to a subject; `unmeasured` says why there are no measures, where there are none."""

    schema_version: int = SCHEMA_VERSION
    old_subject: str
    new_subject: str
    seed: int
    num_pairs: int
    num_context: int
    measures: tuple[MeasureChange, ...]
    checks: tuple[CheckChange, ...]
    unmeasured: str | None = None

    @property
    def exit_code(self) -> int:
        """0 nothing got worse; 1 a measure got worse or a check newly fails; 3 something is unanswered."""
        verdicts = {change.verdict for change in self.checks}
        if "newly failed" in verdicts or any(change.verdict == "worse" for change in self.measures):
            return 1
        return 3 if "unanswered" in verdicts or self.unmeasured else 0
