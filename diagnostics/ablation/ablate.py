"""The experiment that the original's author never made: what the drop at the boundary needs.

The cube: labels in queries and keys, the order of training, and the number of heads when restored.  The
head count shapes no weight, so its two levels share a training.  The switches: every other trait of the
historic decoder off, one at a time.  All rows are asked about the same held-out pairs.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from attn.models import HistoricConfig, build_model
from attn.processes import PairProcess
from attn.runs import Run, assign_weights, weights_of
from attn.train import train
from attn.trainer import TrainConfig
from attn.types import Floats
from diagnostics.ablation.result import HALF_HALF, MEASURES, SHUFFLE, Ablation, AblationRow
from diagnostics.cells.code import ATTN, fingerprint
from diagnostics.cells.run import finish_cells
from diagnostics.cells.workers import Workers
from diagnostics.check import build_scenario
from diagnostics.measures import Statistic
from diagnostics.measuring import LATER_TARGET, measure
from diagnostics.result import Estimate
from diagnostics.run_subject import TrainedSubject
from diagnostics.runner import describe_environment

# Labels by rank, as in the original, whose decoder this is about: the leak is the same in every row.
PROCESS = PairProcess(num_points=50, label="rank")
TRAINED_HEADS, OTHER_HEADS = 1, 32
TRAITS = (
    "relu_scores",
    "previous_value_residual",
    "half_log_sigma",
    "binned_x",
    "normalised_values",
    "drops_zero_targets",
)
EXACT = "rmse_oracle_free_running"
NUM_RESAMPLES = 2000
# Streams of random numbers that no training draws from.
_HELD_OUT, _RESAMPLES = 9, 10


@dataclass(frozen=True)
class Plan:
    """What all rows have in common; a quarter of the points of B is observed, in training as many of all."""

    num_steps: int
    num_pairs: int
    seed: int
    process: PairProcess = PROCESS

    @property
    def num_context(self) -> int:
        """Points observed: 13 of 50."""
        return -(-self.process.num_points // 4)


@dataclass(frozen=True)
class Training:
    """A model to train, and the head counts that its weights are restored with: a row each."""

    name: str
    model: HistoricConfig
    regime: str = SHUFFLE
    restored_heads: tuple[int, ...] = (TRAINED_HEADS,)
    trait_off: str | None = None


def trainings() -> tuple[Training, ...]:
    """The four corners of the cube that must be trained, the historic one first; then the switches."""
    cube = [
        Training(
            f"{'labels' if labels else 'no-labels'}-{regime}",
            HistoricConfig(num_heads=TRAINED_HEADS, labels_in_qk=labels),
            regime,
            (TRAINED_HEADS, OTHER_HEADS),
        )
        for labels in (False, True)
        for regime in (SHUFFLE, HALF_HALF)
    ]
    historic = cube[0].model
    switches = [Training(f"no-{trait}", _without(historic, trait), trait_off=trait) for trait in TRAITS]
    return (*cube, *switches)


def _without(model: HistoricConfig, trait: str) -> HistoricConfig:
    return HistoricConfig(**asdict(model) | {trait: False})


@dataclass(frozen=True)
class Cell:
    """One training with all that its process must know.

    runs   where its run is kept; a worker elsewhere that does not see this folder keeps no run
    """

    training: Training
    plan: Plan
    runs: Path


@dataclass(frozen=True)
class Resampled:
    """A measure, and its values over resamples of the pairs [R], which are the same for every row."""

    value: float
    over_pairs: list[float]

    def minus(self, other: "Resampled") -> "Resampled":
        """The difference, resample by resample: what pairs have in common cancels."""
        over_pairs = np.array(self.over_pairs) - np.array(other.over_pairs)
        return Resampled(self.value - other.value, over_pairs.tolist())

    def estimate(self) -> Estimate:
        """With the 2.5 and 97.5 percentiles."""
        low, high = np.nanpercentile(self.over_pairs, [2.5, 97.5])
        return Estimate(value=self.value, low=float(low), high=float(high))


@dataclass(frozen=True)
class CellResult:
    """The measures of one training by the number of heads when restored, and by name."""

    name: str
    measures: dict[int, dict[str, Resampled]]
    seconds: float


def ablate(
    plan: Plan,
    folder: Path,
    *,
    workers: Workers,
    on_result: Callable[[CellResult], None] = lambda result: None,
) -> Ablation:
    """Let `workers` train and measure all rows; `folder` keeps what is done and must exist.

    Raises RunError where a training or the disk fails.
    """
    cells = {_key(t, plan): Cell(t, plan, folder.resolve()) for t in trainings()}
    store = folder / "cells.jsonl"
    results = finish_cells(run_cell, cells, store, CellResult, workers=workers, on_result=on_result)
    return assemble(plan, trainings(), {result.name: result for result in results})


def _key(training: Training, plan: Plan) -> str:
    return f"{training.name}/{plan.num_steps}/{plan.num_pairs}/{plan.seed}"


def run_cell(cell: Cell) -> CellResult:
    """Train, or take up the run that is there, and measure it under every head count."""
    started = time.perf_counter()
    with nullcontext(cell.runs) if cell.runs.is_dir() else TemporaryDirectory() as runs:
        run = _trained(cell, Path(runs))
        measures = {heads: _measured(run, heads, cell.plan) for heads in cell.training.restored_heads}
    return CellResult(cell.training.name, measures, time.perf_counter() - started)


def _trained(cell: Cell, runs: Path) -> Run:
    plan = cell.plan
    # half of the original's batch, at twice the rate: with 3000 steps all ten take less than 10 minutes
    config = TrainConfig(
        regime=cell.training.regime,
        num_context=plan.num_context,
        num_epochs=1,
        steps_per_epoch=plan.num_steps,
        batch_size=32,
        optimizer="adam",
        learning_rate=2e-3,
        warmup_steps=100,
        seed=plan.seed,
    )
    # the name holds all that the weights depend on: a run of other code is not taken up
    parts = (fingerprint(ATTN), cell.training.model, config, plan.process)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    directory = runs / f"{cell.training.name}-{digest}"
    return train(directory, cell.training.model, config, plan.process, resume=directory.exists())


def _measured(run: Run, num_heads: int, plan: Plan) -> dict[str, Resampled]:
    """The measures of the run restored with `num_heads`, which succeeds silently: the shapes agree."""
    assert isinstance(run.model.config, HistoricConfig)
    model = build_model(replace(run.model.config, num_heads=num_heads), seed=0)
    assign_weights(model, weights_of(run.model), run.directory)
    rng = np.random.default_rng([plan.seed, _HELD_OUT])
    scenario = build_scenario(plan.process, rng, num_pairs=plan.num_pairs, num_context=plan.num_context)
    measured = measure(TrainedSubject(replace(run, model=model)), scenario, rng)
    named = {statistic.name: statistic.statistic for statistic in measured.statistics}
    counts = np.random.default_rng([plan.seed, _RESAMPLES]).multinomial(
        plan.num_pairs, np.full(plan.num_pairs, 1 / plan.num_pairs), NUM_RESAMPLES
    )
    return {name: _resampled(named[name], counts.astype(np.float64)) for name in (*MEASURES, EXACT)}


def _resampled(statistic: Statistic, counts: Floats) -> Resampled:
    """`counts` [R,N] says how often a resample holds a pair."""
    sums = statistic.sums[:, 0]  # [N,K]
    with np.errstate(divide="ignore", invalid="ignore"):
        over_pairs = statistic.of_totals(counts @ sums)
        return Resampled(float(statistic.of_totals(sums.sum(axis=0))), over_pairs.tolist())


def assemble(plan: Plan, planned: Sequence[Training], results: Mapping[str, CellResult]) -> Ablation:
    """The table of `results`, which are by the names of `planned`; the first row is the historic one."""
    historic = results[planned[0].name].measures[planned[0].model.num_heads]
    rows = []
    for training in planned:
        for heads, measures in results[training.name].measures.items():
            rows.append(
                AblationRow(
                    labels_in_qk=training.model.labels_in_qk,
                    regime=training.regime,
                    heads_trained=training.model.num_heads,
                    heads_restored=heads,
                    trait_off=training.trait_off,
                    measures={name: measures[name].estimate() for name in MEASURES},
                    differences={
                        name: measures[name].minus(historic[name]).estimate()
                        for name in (MEASURES if measures is not historic else ())
                    },
                )
            )
    num_targets = plan.process.num_points - plan.num_context
    return Ablation(
        environment=describe_environment(),
        seed=plan.seed,
        num_steps=plan.num_steps,
        num_pairs=plan.num_pairs,
        num_points=plan.process.num_points,
        num_context=plan.num_context,
        later=min(LATER_TARGET, num_targets),
        rmse_exact=historic[EXACT].estimate(),
        rows=tuple(rows),
        seconds=sum(result.seconds for result in results.values()),
    )
