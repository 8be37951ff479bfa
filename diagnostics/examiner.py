"""Everything that is asked of a subject in a process of its own: the battery, and all that is measured.

A question holds all that its answer depends on, because the process may be another one each time.
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from attn.longform import TableError
from attn.processes import PairProcess
from attn.quiet import silence_tensorflow
from attn.tables import Table, real_pair
from attn.types import Pairs
from diagnostics.adapters import load_subject
from diagnostics.ask import SubjectError
from diagnostics.attribution.attribute import attribute
from diagnostics.battery import Battery
from diagnostics.checks import CHECKS, find_check
from diagnostics.regression.baseline import Baseline, Plan, measure_for, process_for, to_baseline
from diagnostics.regression.changes import Comparison
from diagnostics.regression.comparison import compare, compare_checks, require_same_process
from diagnostics.result import Attribution, CheckResult, Symptom
from diagnostics.runner import NUM_PAIRS, TIME_LIMIT, name_of, prepare, process_of, require_time_limit
from diagnostics.subject import offers
from diagnostics.symptom import measure_symptom
from diagnostics.units import in_units_of


@dataclass(frozen=True)
class Setup:
    """What a battery is prepared with, beside the subject; see `runner.prepare`.

    source   pairs, a process as its subject gave it (`Examiner.process`), or None for the subject's own
    checks   the names of those that are asked
    """

    source: Pairs | bytes | None = None
    checks: tuple[str, ...] = tuple(check.name for check in CHECKS)
    seed: int = 0
    num_pairs: int = NUM_PAIRS
    options: tuple[str, ...] = ()
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    time_limit: float = TIME_LIMIT

    def __post_init__(self) -> None:
        require_time_limit(self.time_limit)


@dataclass(frozen=True)
class Held:
    """The held-out pairs that a report measures on: so many of a process, as in `Setup.source`."""

    source: bytes | None
    seed: int
    num_pairs: int
    num_context: int


class Introduction(BaseModel):
    """Who a subject is: its name, and the points a series of its process, if it has one."""

    name: str
    num_points: int | None


class Shared(BaseModel):
    """A process for the process of another subject; of a class of its own, which is not known elsewhere."""

    pickled: bytes

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}


class RealPair(BaseModel):
    """The symptom on the real pair, or why there is none."""

    symptom: Symptom | None = None
    why_not: str = ""


class Examiner:
    """A subject, loaded by what stands after --subject; every method is a question (see `Apart`)."""

    def __init__(self, spec: str) -> None:
        silence_tensorflow()
        self._spec = spec
        self._subject = load_subject(spec)
        self._battery: tuple[bytes, Battery] | None = None

    def introduce(self) -> Introduction:
        """Who the subject is; raises SubjectError where its name is none."""
        has_process = offers(self._subject, "process")
        num_points = process_of(self._subject).num_points if has_process else None
        return Introduction(name=name_of(self._subject), num_points=num_points)

    def process(self) -> Shared:
        """The process of the subject, to be the source of another."""
        return Shared(pickled=pickle.dumps(process_of(self._subject)))

    def prepare(self, setup: bytes) -> Introduction:
        """Prepare the battery for a pickled Setup; raises what `runner.prepare` raises."""
        if self._battery is None or self._battery[0] != setup:
            self._battery = setup, self._prepared(pickle.loads(setup))
        return self.introduce()

    def _prepared(self, setup: Setup) -> Battery:
        return prepare(
            self._subject,
            source=self._source(setup.source) if isinstance(setup.source, bytes) else setup.source,
            seed=setup.seed,
            num_pairs=setup.num_pairs,
            spec=self._spec,
            options=setup.options,
            expected_failures=setup.expected_failures,
            checks=tuple(find_check(name) for name in setup.checks),
            time_limit=setup.time_limit,
        )

    def _source(self, pickled: bytes | None) -> PairProcess:
        if pickled is None:
            return process_of(self._subject)
        process: PairProcess = pickle.loads(pickled)
        return process

    def check(self, setup: bytes, name: str) -> CheckResult:
        """Ask one check of the battery."""
        self.prepare(setup)
        assert self._battery is not None
        return self._battery[1].run(find_check(name))

    def symptom(self, held: Held, beside: Symptom | None) -> Symptom:
        """What the subject does on drawn pairs; the examples are those of the one `beside`, if any."""
        return measure_symptom(
            self._subject,
            self._source(held.source),
            num_pairs=held.num_pairs,
            num_context=held.num_context,
            seed=held.seed,
            beside=beside,
        )

    def real_pair(self, held: Held, beside: Symptom | None) -> RealPair:
        """What the subject does on windows of the real pair, each as long as a series of the process."""
        process = self._source(held.source)
        if process.num_series < 2:
            return RealPair(why_not="the subject is made for single sequences")
        try:
            table = real_pair(window=process.num_points, num_context=held.num_context)
        except TableError as error:
            return RealPair(why_not=str(error))
        num_windows = min(held.num_pairs, table.pairs.num_pairs)
        measured = measure_symptom(
            self._subject,
            table.pairs,
            num_pairs=num_windows,
            num_context=held.num_context,
            seed=held.seed,
            data=_described(table, num_windows, held.num_context),
            beside=beside,
        )
        return RealPair(symptom=in_units_of(table, measured))

    def attribution(self, held: Held) -> Attribution:
        """Where the error of the subject comes from."""
        source = self._source(held.source)
        return attribute(self._subject, source, num_context=held.num_context, seed=held.seed)

    def fit(self, plan: Plan, baseline: Baseline | None) -> Introduction:
        """Raise ValueError where a plan does not fit the process of the subject, or that is another one's."""
        process = process_for(self._subject, plan)
        if baseline is not None:
            require_same_process(baseline, process)
        return self.introduce()

    def baseline(self, plan: Plan, results: Sequence[CheckResult]) -> Baseline:
        """What is to be kept of the subject, whose battery gave `results`."""
        return to_baseline(measure_for(self._subject, plan, results), plan)

    def comparison(self, baseline: Baseline, results: Sequence[CheckResult]) -> Comparison:
        """The subject, whose battery gave `results`, beside a baseline; raises what `compare` raises."""
        try:
            examined = measure_for(self._subject, baseline.plan, results)
        except SubjectError as error:
            why = f"Nothing was measured: {error}."
            return compare_checks(baseline, name_of(self._subject), results, why)
        return compare(baseline, examined)


def _described(table: Table, num_windows: int, num_context: int) -> str:
    return (
        f"{num_windows} windows of {' and '.join(table.series_names)}, {table.pairs.num_points // 2} points a"
        f" series, {num_context} points of B observed; x is in hours from the start of a window, y is"
        f" {table.y_name} in the units of the table"
    )
