"""What an ablation says: every row's measures with intervals, and their differences from the first row."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from diagnostics.result import Environment, Estimate

# The measures of a row, each with its heading; their meanings stand in `measuring`.
MEASURES = {
    "r2_shuffled": "R² shuffled",
    "drift_first": "drift, first target",
    "drift_later": "drift, later targets",
    "rmse_free_running": "RMSE free running",
    "nll_gap": "NLL gap",
}
SHUFFLE, HALF_HALF = "shuffle", "half_half"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class AblationRow(_Value):
    """One model as it was trained, and with how many heads its weights were restored.

    trait_off    the only trait of the historic decoder that is off; None in the cube
    measures     by the names of MEASURES
    differences  this row minus the historic one on the same pairs; empty for the historic one itself
    """

    labels_in_qk: bool
    regime: str
    heads_trained: int
    heads_restored: int
    trait_off: str | None = None
    measures: dict[str, Estimate]
    differences: dict[str, Estimate] = {}

    @property
    def same_heads(self) -> bool:
        """Whether the head count is that of the training."""
        return self.heads_trained == self.heads_restored

    @property
    def is_historic(self) -> bool:
        """Whether this is the decoder of the original as it was trained."""
        is_cube = self.trait_off is None and not self.labels_in_qk
        return is_cube and self.regime == SHUFFLE and self.same_heads

    @property
    def heads(self) -> str:
        """`1 -> 32`."""
        return f"{self.heads_trained} -> {self.heads_restored}"

    @property
    def title(self) -> str:
        """What tells it from the other rows."""
        if self.trait_off is not None:
            return f"{self.trait_off} off"
        return f"{'labels' if self.labels_in_qk else 'no labels'}, {self.regime}, heads {self.heads}"


class Ablation(_Value):
    """All rows, the historic one first; intervals are over the same `num_pairs` held-out pairs.

    later       number of the target from which on `drift_later` counts
    rmse_exact  the exact GP's error from the context alone
    seconds     of training and measuring, all cells together
    """

    schema_version: Literal[1] = 1
    environment: Environment
    seed: int
    num_steps: int
    num_pairs: int
    num_points: int
    num_context: int
    later: int
    rmse_exact: Estimate
    rows: tuple[AblationRow, ...]
    seconds: float

    @property
    def cube(self) -> tuple[AblationRow, ...]:
        """Labels in queries and keys x order of training x heads when restored."""
        return tuple(row for row in self.rows if row.trait_off is None)

    @property
    def switches(self) -> tuple[AblationRow, ...]:
        """The historic decoder with one trait off."""
        return tuple(row for row in self.rows if row.trait_off is not None)

    @property
    def historic(self) -> AblationRow:
        """The row that all others are held against."""
        return next(row for row in self.rows if row.is_historic)
