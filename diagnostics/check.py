"""What a check is: one small function that asks one question of a subject and says what it found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Literal, get_args

import numpy as np

from attn.arrange import arrange, forecast
from attn.memory import of_scenario, require_memory
from attn.processes import PairProcess
from attn.types import Batch, Pairs
from diagnostics.result import Evidence, Family
from diagnostics.subject import OPTIONAL, Subject


@dataclass(frozen=True)
class Finding:
    """What a check found: `detail` is one sentence that says what was found and what it means.

    suspects   what the failure points at, where what was seen says more than the check alone; None = the
               suspects of the check
    """

    status: Literal["passed", "failed", "skipped"]
    detail: str
    statistic: float | None = None
    tolerance: float | None = None
    evidence: Evidence = field(default_factory=dict)
    suspects: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Scenario:
    """The data that a subject is asked about; every check of a battery sees the same.

    process      where the pairs come from, with its exact posterior; None for given pairs
    pairs        B pairs
    num_context  how many points of B are observed in `forecast`, and of all points in `shuffled`
    forecast     inference order: all of A, then the beginning of B; either series is B, by a fair coin
    shuffled     the order of training: one random permutation
    """

    process: PairProcess | None
    pairs: Pairs
    num_context: int
    forecast: Batch
    shuffled: Batch

    @property
    def has_two_series(self) -> bool:
        """Whether there is an A beside the B."""
        return bool((self.pairs.series[self.pairs.valid] == 1).any())


def build_scenario(
    source: PairProcess | Pairs,
    rng: np.random.Generator,
    *,
    num_pairs: int = 128,
    num_context: int | None = None,
) -> Scenario:
    """Draw `num_pairs` pairs of a process, or choose at most that many of the given ones, and arrange them.

    `num_context` None = a quarter of the shortest series.  Raises ValueError where there is too little data.
    """
    if isinstance(source, PairProcess):
        require_scenario(source, num_pairs)
        process, pairs = source, source.sample(num_pairs, rng)
    else:
        process, pairs = None, source.rows(rng.permutation(source.num_pairs)[:num_pairs])
    if num_context is None:
        num_context = _quarter_of_shortest(pairs)
    return Scenario(
        process,
        pairs,
        num_context,
        forecast(pairs, num_context, rng),
        arrange(pairs, "shuffle", num_context, rng),
    )


def require_scenario(process: PairProcess, num_pairs: int) -> None:
    """Raise MemoryLimitError where so many pairs of a process cannot fit."""
    num_bytes = of_scenario(num_pairs, process.num_series * process.num_points)
    require_memory(num_bytes, "asking about these pairs", "fewer --num-pairs")


def _quarter_of_shortest(pairs: Pairs) -> int:
    present = [(pairs.valid & (pairs.series == label)).sum(axis=1) for label in (0, 1)]
    shortest = min(int(counts[counts > 0].min()) for counts in present if counts.any())
    return max(1, -(-shortest // 4))


CheckFunction = Callable[[Subject, Scenario, np.random.Generator], Finding]


@dataclass(frozen=True)
class Check:
    """A check and what is said about it.

    question   what it asks, one sentence        method    how, and what a failure means
    suspects   names of the faults that a failure points at, most likely first
    needs      optional capabilities of the subject (keys of `subject.OPTIONAL`) that it cannot do without
    """

    name: str
    family: Family
    question: str
    method: str
    suspects: tuple[str, ...]
    needs: tuple[str, ...]
    function: CheckFunction

    def __call__(self, subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
        """Ask the question; raises SubjectError where the subject cannot answer."""
        return self.function(subject, scenario, rng)


def check(
    *, family: Family, suspects: tuple[str, ...], needs: tuple[str, ...] = ()
) -> Callable[[CheckFunction], Check]:
    """Make a check of a function: its name, and its docstring as question (first line) and method."""
    if family not in get_args(Family):
        raise ValueError(f"family must be one of {', '.join(get_args(Family))}; got {family!r}")
    unknown = [need for need in needs if need not in OPTIONAL]
    if unknown:
        raise ValueError(f"needs must be among {', '.join(OPTIONAL)}; got {', '.join(unknown)}")

    def decorate(function: CheckFunction) -> Check:
        question, _, method = cleandoc(function.__doc__ or "").partition("\n")
        if not question.endswith("?"):
            raise ValueError(f"the docstring of a check must open with a question; got {question!r}")
        name = function.__name__
        return Check(name, family, question, method.strip(), suspects, needs, function)

    return decorate
