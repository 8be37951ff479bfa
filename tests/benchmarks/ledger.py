"""What a benchmark writes down: a measured figure beside its target, and a cost at a size."""

import math
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeVar

Figure = TypeVar("Figure", "Ratio", "Cost", "Standing")


@dataclass(frozen=True)
class Ratio:
    """A measured figure beside its target.

    name      what is compared with what, and at which size; the same every time it is measured
    measured  the figure, in `unit` (`x`: so many times)
    target    what is wanted; None where a figure is only stated
    better    `higher`: the target is the least that is wanted; `lower`: the most
    note      how it was measured, where the name does not say it
    interval  95 % interval over pairs, where it is a statistic; the verdict is that of the figure itself
    benchmark  which one measured it, as of every figure
    """

    name: str
    measured: float
    target: float | None
    better: Literal["higher", "lower"]
    unit: str = "x"
    note: str = ""
    interval: tuple[float, float] | None = None
    benchmark: str = ""

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or `stated` where there is no target; NaN is missed."""
        if self.target is None:
            return "stated"
        is_met = self.measured >= self.target if self.better == "higher" else self.measured <= self.target
        return "met" if is_met else "missed"

    @property
    def bound(self) -> str:
        """The target in words, such as `at least 300 x`."""
        if self.target is None:
            return ""
        return f"{'at least' if self.better == 'higher' else 'at most'} {self.target:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Cost:
    """What one way of doing something cost at one size: a point of the plot."""

    way: str
    size: int
    seconds: float
    benchmark: str = ""


@dataclass(frozen=True)
class Standing:
    """How far a model is from the exact GP after so many seconds of training: a point of the plot.

    gap, interval   nats per target above the exact GP, with its 95 % interval over pairs
    """

    model: str
    seconds: float
    gap: float
    interval: tuple[float, float]
    benchmark: str = ""


@dataclass(frozen=True)
class Doubling:
    """A cost, and the exponent p of cost ~ size^p from the next smaller size to this one."""

    cost: Cost
    exponent: float | None


@dataclass
class Ledger:
    """Everything that a session of benchmarks measured, in the order in which it was measured."""

    ratios: list[Ratio] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)

    def write(self, figure: Ratio | Cost | Standing) -> None:
        """Append a figure to those of its kind."""
        if isinstance(figure, Ratio):
            self.ratios.append(figure)
        elif isinstance(figure, Cost):
            self.costs.append(figure)
        else:
            self.standings.append(figure)

    def trainings(self) -> dict[str, list[Standing]]:
        """The standings of every model by time."""
        by_model: dict[str, list[Standing]] = {}
        for standing in sorted(self.standings, key=lambda standing: standing.seconds):
            by_model.setdefault(standing.model, []).append(standing)
        return by_model

    def ways(self) -> dict[str, list[Doubling]]:
        """The costs of every way by size."""
        by_way: dict[str, list[Cost]] = {}
        for cost in sorted(self.costs, key=lambda cost: cost.size):
            by_way.setdefault(cost.way, []).append(cost)
        return {way: _doublings(costs) for way, costs in by_way.items()}

    def over(self, before: "Ledger") -> "Ledger":
        """What was measured before, but all that a benchmark had written goes where it wrote anew."""
        renewed = {figure.benchmark for figure in (*self.ratios, *self.costs, *self.standings)}
        return Ledger(
            _renewed(before.ratios, self.ratios, renewed),
            _renewed(before.costs, self.costs, renewed),
            _renewed(before.standings, self.standings, renewed),
        )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Ledger":
        """The ledger that `as_json` gave."""
        return cls(
            [Ratio(**_fields(Ratio, ratio)) for ratio in content["ratios"]],
            [Cost(**_fields(Cost, cost)) for cost in content["costs"]],
            [Standing(**_fields(Standing, standing)) for standing in content["standings"]],
        )

    def as_json(self) -> dict[str, Any]:
        """The ledger as plain values."""
        ratios = [{**asdict(ratio), "verdict": ratio.verdict} for ratio in self.ratios]
        costs = [
            {**asdict(step.cost), "exponent": step.exponent}
            for steps in self.ways().values()
            for step in steps
        ]
        return {"ratios": ratios, "costs": costs, "standings": [asdict(one) for one in self.standings]}


def _renewed(before: list[Figure], anew: list[Figure], renewed: set[str]) -> list[Figure]:
    """Benchmark after benchmark, in the order in which each first stood there."""
    kept = {name: [] if name in renewed else figures for name, figures in _by_benchmark(before).items()}
    return [figure for figures in (kept | _by_benchmark(anew)).values() for figure in figures]


def _by_benchmark(figures: list[Figure]) -> dict[str, list[Figure]]:
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.benchmark, []).append(figure)
    return groups


def _fields(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Of the JSON of a figure what it was made of; lists were tuples."""
    known = {name: values[name] for name in kind.__dataclass_fields__}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}


def _doublings(costs: list[Cost]) -> list[Doubling]:
    steps = [
        Doubling(big, math.log(big.seconds / small.seconds) / math.log(big.size / small.size))
        for small, big in pairwise(costs)
    ]
    return [Doubling(costs[0], None), *steps]
