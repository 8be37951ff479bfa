"""Everything that a report says of some subjects: their symptoms on the same pairs, and the battery."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from attn.memory import of_scenario, require_memory
from diagnostics.apart import UnansweredError
from diagnostics.ask import SubjectError
from diagnostics.checks import CHECKS
from diagnostics.examiner import Held, RealPair, Setup, Shared
from diagnostics.isolated import Isolated
from diagnostics.result import Attribution, CheckResult, Report, Symptom
from diagnostics.runner import NUM_CHECKS, TIME_LIMIT, require_time_limit, to_report

OnStep = Callable[[str], None]


def num_steps(num_subjects: int) -> int:
    """How often `on_step` is called by `investigate`, once more for the caller to draw."""
    return num_subjects * (len(CHECKS) + 3) + 1


def investigate(
    specs: Sequence[str],
    *,
    seed: int,
    num_pairs: int,
    num_context: int,
    time_limit: float = TIME_LIMIT,
    on_step: OnStep = lambda step: None,
) -> list[Report]:
    """One report a subject, in the order of `specs` (as for `load_subject`).

    Every subject is loaded and asked in a process of its own, all at the same time; what a subject breaks is
    an error of its check or stands in `Report.unmeasured`.  The pairs are drawn from the process of the first
    subject that has one, and are the same for all.
    Raises SubjectError where a subject cannot be loaded, or where none has a process; ValueError where the
    context does not fit the process, or a time limit is not positive.
    """
    require_time_limit(time_limit)
    with ThreadPoolExecutor(len(specs)) as pool, ExitStack() as stack:
        subjects = [stack.enter_context(Isolated(spec, len(specs))) for spec in specs]
        sources = _sources(subjects, pool, num_pairs, num_context)
        plans = [_Plan(Held(source, seed, num_pairs, num_context), time_limit, on_step) for source in sources]
        first = pool.submit(_examine, subjects[0], plans[0], None)
        examined = [first]
        for subject, plan in zip(subjects[1:], plans[1:], strict=True):
            examined.append(pool.submit(_examine, subject, plan, first))
        reports = [pool.submit(_report, *parts) for parts in zip(subjects, plans, examined, strict=True)]
        return [report.result() for report in reports]


def _sources(
    subjects: Sequence[Isolated], pool: ThreadPoolExecutor, num_pairs: int, num_context: int
) -> list[bytes | None]:
    """Of every subject where its pairs come from: None where the process is its own, else that process."""
    found = list(pool.map(Isolated.introduce, subjects))
    owner = next((place for place, one in enumerate(found) if one.num_points is not None), None)
    if owner is None:
        names = " and ".join(one.name for one in found)
        raise SubjectError(f"a subject must have a process to draw pairs from; {names} has none")
    num_points = found[owner].num_points or 0
    if not 1 <= num_context < num_points:
        rule = f"num_context must be between 1 and {num_points - 1} (points a series - 1)"
        raise ValueError(f"{rule}; got {num_context}")
    require_memory(of_scenario(num_pairs, 2 * num_points), "asking about these pairs", "fewer --num-pairs")
    if len(subjects) == 1:
        return [None]
    shared = subjects[owner].measure(Shared, "process", time_limit=TIME_LIMIT).pickled
    return [None if place == owner else shared for place in range(len(subjects))]


@dataclass(frozen=True)
class _Plan:
    """What is asked of one subject."""

    held: Held
    time_limit: float
    on_step: OnStep


@dataclass(frozen=True)
class _Examined:
    """What was found of one subject; what was not, in a sentence each."""

    results: list[CheckResult]
    symptoms: tuple[Symptom, ...]
    unmeasured: tuple[str, ...]


def _examine(subject: Isolated, plan: _Plan, first: "Future[_Examined] | None") -> _Examined:
    """The battery and the symptoms; examples are those of the `first` subject, if that is another."""
    setup = Setup(source=plan.held.source, seed=plan.held.seed, time_limit=plan.time_limit)
    results = subject.run_checks(setup, lambda result: plan.on_step(f"{subject.name}: {result.check}"))
    beside = () if first is None else first.result().symptoms
    symptoms, unmeasured = _symptoms(subject, plan, beside)
    return _Examined(results, symptoms, unmeasured)


def _symptoms(
    subject: Isolated, plan: _Plan, beside: Sequence[Symptom]
) -> tuple[tuple[Symptom, ...], tuple[str, ...]]:
    """What a subject does on drawn pairs and, where there are any, real ones; and what was not measured."""
    on_drawn, on_real = (*beside, None, None)[:2]
    try:
        drawn = subject.measure(Symptom, "symptom", plan.held, on_drawn, time_limit=plan.time_limit)
    except UnansweredError as error:
        return (), (f"The symptom was not measured: {error}.",)
    finally:
        plan.on_step(f"{subject.name}: the symptom")
    unmeasured: tuple[str, ...] = ()
    try:
        real = subject.measure(RealPair, "real_pair", plan.held, on_real, time_limit=plan.time_limit)
    except UnansweredError as error:
        real, unmeasured = RealPair(why_not=str(error)), (f"The real pair was not measured: {error}.",)
    plan.on_step(f"{subject.name}: the real pair")
    if real.symptom is not None:
        return (drawn, real.symptom), unmeasured
    remark = f"The real pair is not shown: {real.why_not}."
    return (drawn.model_copy(update={"remarks": (*drawn.remarks, remark)}),), unmeasured


def _report(subject: Isolated, plan: _Plan, examined: "Future[_Examined]") -> Report:
    """The report of a subject once it is examined; its attribution is measured last."""
    found = examined.result()
    attribution, unmeasured = None, found.unmeasured
    try:
        attribution = subject.measure(Attribution, "attribution", plan.held, time_limit=plan.time_limit)
    except UnansweredError as error:
        unmeasured += (f"Where the error comes from was not measured: {error}.",)
    plan.on_step(f"{subject.name}: where the error comes from")
    return to_report(
        subject.name,
        found.results,
        seed=plan.held.seed,
        num_manifest=NUM_CHECKS,
        symptoms=found.symptoms,
        attribution=attribution,
        unmeasured=unmeasured,
    )
