"""Everything that a report says of some subjects: their symptoms on the same pairs, and the battery."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

from attn.longform import TableError
from attn.processes import PairProcess
from attn.quiet import silence_tensorflow
from attn.tables import Table, real_pair
from diagnostics.adapters import load_subject
from diagnostics.ask import SubjectError
from diagnostics.attribution.attribute import attribute
from diagnostics.check import require_scenario
from diagnostics.checks import CHECKS
from diagnostics.diagnose import diagnose
from diagnostics.result import Attribution, Report, Symptom
from diagnostics.runner import run_checks
from diagnostics.subject import Subject, offers
from diagnostics.symptom import measure_symptom
from diagnostics.units import in_units_of

OnStep = Callable[[str], None]


def num_steps(num_subjects: int) -> int:
    """How often `on_step` is called by `investigate`, once more for the caller to draw."""
    return len(CHECKS) + 4 * num_subjects


def investigate(
    specs: Sequence[str],
    *,
    seed: int,
    num_pairs: int,
    num_context: int,
    on_step: OnStep = lambda step: None,
) -> list[Report]:
    """One report a subject, in the order of `specs` (as for `load_subject`).

    The pairs are drawn from the process of the first subject that has one, and are the same for all.  The
    battery of every subject but the first runs beside all else, in another process.
    Raises SubjectError where a subject cannot be loaded or asked, or where none has a process.
    """
    subjects = [load_subject(spec) for spec in specs]
    process = _process_of(subjects)
    if not 1 <= num_context < process.num_points:
        rule = f"num_context must be between 1 and {process.num_points - 1} (points a series - 1)"
        raise ValueError(f"{rule}; got {num_context}")
    require_scenario(process, num_pairs)
    plan = _Plan(process, seed, num_pairs, num_context)
    # spawned, not forked: a fork of a process in which TensorFlow has threads may hang
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=silence_tensorflow) as pool:
        others = [pool.submit(_check_spec, spec, plan) for spec in specs[1:]]
        reports = [_check(subjects[0], specs[0], plan, on_step)]
        symptoms = [_symptoms(subjects[0], plan, (), on_step)]
        symptoms += [_symptoms(subject, plan, symptoms[0], on_step) for subject in subjects[1:]]
        attributions = [_attribute(subject, plan, on_step) for subject in subjects]
        for spec, other in zip(specs[1:], others, strict=True):
            reports.append(_report_of(other, spec))
            on_step(f"{reports[-1].subject}: the battery")
    return [_whole(*parts) for parts in zip(reports, symptoms, attributions, strict=True)]


def _report_of(other: Future[Report], spec: str) -> Report:
    try:
        return other.result()
    except BrokenProcessPool as error:
        raise SubjectError(f"a subject must not end the process that examines it; {spec!r} did") from error


@dataclass(frozen=True)
class _Plan:
    """What is asked of every subject."""

    process: PairProcess
    seed: int
    num_pairs: int
    num_context: int


def _check_spec(spec: str, plan: _Plan) -> Report:
    return _check(load_subject(spec), spec, plan, lambda step: None)


def _check(subject: Subject, spec: str, plan: _Plan, on_step: OnStep) -> Report:
    """The battery over a subject, no symptom measured yet."""
    return run_checks(
        subject,
        source=plan.process,
        seed=plan.seed,
        spec=spec,
        on_result=lambda result: on_step(f"{subject.name}: {result.check}"),
    )


def _symptoms(
    subject: Subject, plan: _Plan, beside: Sequence[Symptom], on_step: OnStep
) -> tuple[Symptom, ...]:
    """What a subject does on drawn pairs and, where they can be had, on real ones.

    `beside` holds the symptoms of the first subject, whose example pairs the others show as well.
    """
    first, second = (*beside, None, None)[:2]
    drawn = measure_symptom(
        subject,
        plan.process,
        num_pairs=plan.num_pairs,
        num_context=plan.num_context,
        seed=plan.seed,
        beside=first,
    )
    on_step(f"{subject.name}: the symptom")
    table, why_not = _real_pair(plan.process, plan.num_context)
    drawn = drawn.model_copy(update={"remarks": (*drawn.remarks, *why_not)})
    real = () if table is None else (_on_real_pair(subject, table, plan, second),)
    on_step(f"{subject.name}: the real pair")
    return (drawn, *real)


def _attribute(subject: Subject, plan: _Plan, on_step: OnStep) -> Attribution:
    found = attribute(subject, plan.process, num_context=plan.num_context, seed=plan.seed)
    on_step(f"{subject.name}: where the error comes from")
    return found


def _whole(report: Report, symptoms: tuple[Symptom, ...], attribution: Attribution) -> Report:
    """The report with its symptoms and its attribution, and the verdict with their figures."""
    diagnosis = diagnose(report.results, symptoms[0])
    found = {"symptoms": symptoms, "attribution": attribution, "diagnosis": diagnosis}
    return report.model_copy(update=found)


def _process_of(subjects: Sequence[Subject]) -> PairProcess:
    for subject in subjects:
        if offers(subject, "process"):
            process: PairProcess = subject.process  # type: ignore[attr-defined]
            return process
    names = " and ".join(subject.name for subject in subjects)
    raise SubjectError(f"a subject must have a process to draw pairs from; {names} has none")


def _real_pair(process: PairProcess, num_context: int) -> tuple[Table | None, tuple[str, ...]]:
    """The windows of the real pair, each as long as a series of the process; or the reason for none."""
    if process.num_series < 2:
        return None, ("The real pair is not shown: the subject is made for single sequences.",)
    try:
        return real_pair(window=process.num_points, num_context=num_context), ()
    except TableError as error:
        return None, (f"The real pair is not shown: {error}.",)


def _on_real_pair(subject: Subject, table: Table, plan: _Plan, beside: Symptom | None) -> Symptom:
    num_windows = min(plan.num_pairs, table.pairs.num_pairs)
    data = (
        f"{num_windows} windows of {' and '.join(table.series_names)}, {table.pairs.num_points // 2} points a"
        f" series, {plan.num_context} points of B observed; x is in hours from the start of a window, y is"
        f" {table.y_name} in the units of the table"
    )
    measured = measure_symptom(
        subject,
        table.pairs,
        num_pairs=num_windows,
        num_context=plan.num_context,
        seed=plan.seed,
        data=data,
        beside=beside,
    )
    return in_units_of(table, measured)
