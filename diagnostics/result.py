"""What the suite says: results of checks, measures with intervals, and the report that holds them.

The JSON form of `Report` is the published schema; `SCHEMA_VERSION` rises when a field changes meaning.
Arrays stand as nested lists; NaN is written as the string "NaN" and read back as NaN.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

SCHEMA_VERSION = 2

Family = Literal["position", "masking", "feeding", "boundary", "likelihood", "data", "persistence"]
Status = Literal["passed", "failed", "skipped", "error", "expected_failure"]
Row = list[float]
Evidence = dict[str, float | Row | list[Row]]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class CheckResult(_Value):
    """What one check found.

    detail      one sentence: what was found and what it means; for `skipped`, why
    suspects    names of the faults that this failure points at, most likely first; empty unless failed
    evidence    small arrays for plots
    repro       one command line that runs this check again
    """

    check: str
    family: Family
    status: Status
    statistic: float | None = None
    tolerance: float | None = None
    detail: str
    suspects: tuple[str, ...] = ()
    evidence: Evidence = {}
    seed: int
    repro: str
    seconds: float


class Measure(_Value):
    """A number with its 95 % bootstrap interval over `num_pairs` pairs, and what it means in one phrase."""

    name: str
    value: float
    low: float
    high: float
    num_pairs: int
    meaning: str


class Curve(_Value):
    """A measure by distance from the boundary: `at` is the number of the target, counted from 1.

    Of a histogram, `at` holds the middle of every bin.
    """

    name: str
    at: Row
    value: Row
    low: Row
    high: Row


Rank = Literal["best", "median", "worst"]


class Example(_Value):
    """One pair in inference order, to be drawn; every list has one entry a point (or a row a sample).

    rank    its place by error in free running among all pairs, of the subject that the pair was chosen for
    pair    its number among the pairs, counted from 0

    `oracle_mean` and `oracle_scale` are conditioned on the context alone; None where no oracle exists.
    """

    rank: Rank
    pair: int
    title: str
    x: Row
    series: list[int]
    y: Row
    num_context: int
    mean: Row
    scale: Row
    samples: list[Row]
    oracle_mean: Row | None = None
    oracle_scale: Row | None = None


class BoundaryAttention(_Value):
    """Where the first targets look: averages over pairs.

    mass_on_a and mass_on_b   share of attention on each series by target, heads and layers averaged
    points_of_a               the share of the visible points that belong to A, by target
    heat_map                  one pair: layers averaged, a row a head, a column a key, for the first target
    heat_map_x and _series    the position and the series (1 = B) of each key of the heat map
    """

    mass_on_a: Row
    mass_on_b: Row
    points_of_a: Row
    heat_map: list[Row]
    heat_map_x: Row
    heat_map_series: list[int]


class Symptom(_Value):
    """What a subject does at the boundary, on one set of pairs.

    histograms   of the PIT, teacher forced and in free running; 1 in every bin is calibrated
    """

    subject: str
    data: str
    measures: tuple[Measure, ...]
    curves: tuple[Curve, ...]
    histograms: tuple[Curve, ...] = ()
    examples: tuple[Example, ...]
    attention: BoundaryAttention | None = None
    remarks: tuple[str, ...] = ()


class Estimate(_Value):
    """A number with its 95 % bootstrap interval over pairs."""

    value: float
    low: float
    high: float


Where = Literal["first", "later", "training"]
Role = Literal["part", "total", "probe", "beside"]


class AttributionRow(_Value):
    """What one thing has to do with the error at the boundary; estimands in `diagnostics/attribution.py`.

    where     at the first target, at the later ones, or in the arrangement of the training
    role      parts add up to the total of the same `where`; probes and what stands beside are not added
    error     squared error a target, in units of y^2: of a part what it adds, of a probe what it changes
    drift     the same for the drift fraction; None where it is not defined
    after     of a probe: the drift fraction under it
    sentence  what was found, to be quoted
    """

    name: str
    title: str
    where: Where
    role: Role
    error: Estimate
    drift: Estimate | None = None
    after: Estimate | None = None
    sentence: str


class Attribution(_Value):
    """Where the error at the boundary comes from, by intervention on the same pairs.

    later           the numbers of the targets that `later` pools
    training_order  what stands for the order of the training, and how that is known
    free_running    the part of free running by target
    left_out        what could not be asked, each with its reason
    """

    num_pairs: int
    later: tuple[int, ...]
    training_order: str
    rows: tuple[AttributionRow, ...]
    free_running: Curve
    left_out: tuple[str, ...] = ()

    def at(self, where: Where, *roles: Role) -> tuple[AttributionRow, ...]:
        """The rows of that place in those roles, in their order."""
        return tuple(row for row in self.rows if row.where == where and row.role in roles)


class Cause(_Value):
    """A candidate cause: what the checks saw, what to change, and which checks then turn green."""

    fault: str
    family: Family
    title: str
    evidence: tuple[str, ...]
    mend: str
    confirm: tuple[str, ...]


class Diagnosis(_Value):
    """The verdict in at most two sentences, and the causes, most likely first."""

    verdict: str
    causes: tuple[Cause, ...] = ()


class Environment(_Value):
    """Where the report was made."""

    python: str
    platform: str
    packages: dict[str, str]


class Report(_Value):
    """Everything that is known of one subject.

    unmeasured   a sentence for each thing that was to be measured and could not, with the reason
    """

    schema_version: int = SCHEMA_VERSION
    subject: str
    environment: Environment
    seed: int
    num_manifest: int
    results: tuple[CheckResult, ...]
    diagnosis: Diagnosis
    symptoms: tuple[Symptom, ...] = ()
    attribution: Attribution | None = None
    unmeasured: tuple[str, ...] = ()

    def count(self, status: Status) -> int:
        """How many results have that status."""
        return sum(result.status == status for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 all passed; 1 a finding; 3 incomplete: a skip, an error, too few results, what is unmeasured."""
        if self.count("failed"):
            return 1
        if self.unmeasured:
            return 3
        answered = len(self.results) - self.count("skipped") - self.count("error")
        return 0 if answered and answered >= self.num_manifest else 3

    @property
    def is_broken(self) -> bool:
        """Whether the subject broke what it was asked: a check without an answer, or something unmeasured."""
        return bool(self.count("error") or self.unmeasured)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a report; raises ValueError, one sentence, for what is no report of this schema."""
        try:
            report = cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(_first_fault(error)) from None
        if report.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}; got {report.schema_version}")
        return report


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = " ".join(".".join(str(part) for part in first["loc"])[:100].split()) or "its text"
    message = " ".join(first["msg"].split())[:200]
    return f"a report must be JSON of schema {SCHEMA_VERSION}; got another thing at {place}: {message}"
