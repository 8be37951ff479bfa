from dataclasses import asdict

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.rollout import teacher_force
from attn.runs import list_runs, load_run
from diagnostics.ablation import ablate as ablation
from diagnostics.ablation.ablate import Cell, CellResult, Plan, Resampled, assemble, run_cell, trainings
from diagnostics.ablation.result import MEASURES
from diagnostics.cells.local import LocalWorkers
from diagnostics.check import build_scenario

PLAN = Plan(num_steps=3, num_pairs=12, seed=1, process=PairProcess(num_points=8, label="rank"))
SHIFTS = {training.name: 0.1 * number for number, training in enumerate(trainings())}


def training(name):
    return next(t for t in trainings() if t.name == name)


def test_ten_trainings_make_the_cube_and_one_switch_a_row():
    planned = trainings()
    assert len(planned) == len({t.name for t in planned}) == 10
    assert sum(len(t.restored_heads) for t in planned) == 14
    cube = {(t.model.labels_in_qk, t.regime, t.restored_heads) for t in planned if t.trait_off is None}
    assert cube == {(labels, regime, (1, 32)) for labels in (0, 1) for regime in ("shuffle", "half_half")}
    historic = asdict(planned[0].model)
    assert not historic["labels_in_qk"]
    for switch in planned[4:]:
        off = {field for field, value in asdict(switch.model).items() if value != historic[field]}
        assert off == {switch.trait_off}
        assert (switch.regime, switch.restored_heads) == ("shuffle", (1,))
    # every trait of the decoder is in the table
    switches = {field for field, value in historic.items() if isinstance(value, bool)}
    assert switches == {t.trait_off for t in planned[4:]} | {"labels_in_qk"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    cell = Cell(training("labels-shuffle"), PLAN, runs)
    return cell, run_cell(cell)


def test_a_training_is_measured_under_both_head_counts(measured):
    _, result = measured
    assert set(result.measures) == {1, 32}
    for measures in result.measures.values():
        assert set(measures) == {*MEASURES, ablation.EXACT}
        assert all(np.isfinite(m.over_pairs).all() for m in measures.values())
    one, other = (result.measures[heads] for heads in (1, 32))
    assert one["r2_shuffled"].value != other["r2_shuffled"].value
    # the exact GP and the resamples of the pairs are the same for every row
    assert one[ablation.EXACT] == other[ablation.EXACT]


def test_the_measure_is_that_of_the_weights_on_disk(measured):
    cell, result = measured
    (summary,) = list_runs(cell.runs)
    assert summary.spec["training"]["num_context"] == 2
    rng = np.random.default_rng([PLAN.seed, 9])
    batch = build_scenario(PLAN.process, rng, num_pairs=12, num_context=2).shuffled
    mean = teacher_force(load_run(summary.directory).model, batch).mean[:, 2:]
    y = batch.y[:, 2:]
    r_squared = 1 - ((mean - y) ** 2).mean() / y.var()
    assert result.measures[1]["r2_shuffled"].value == pytest.approx(r_squared, abs=1e-6)


def test_a_run_that_is_trained_is_taken_up(measured, monkeypatch):
    cell, result = measured
    monkeypatch.setattr("attn.trainer.Trainer.step", None)  # not to be called
    again = run_cell(cell)
    assert again.measures == result.measures
    assert len(list_runs(cell.runs)) == 1


def test_a_worker_that_does_not_see_the_folder_trains_in_one_that_goes(tmp_path, monkeypatch):
    seen = []

    def trained(cell, runs):
        assert runs.is_dir()
        seen.append(runs)

    monkeypatch.setattr(ablation, "_trained", trained)
    monkeypatch.setattr(ablation, "_measured", lambda run, heads, plan: {})
    for runs in (tmp_path, tmp_path / "not-here"):
        run_cell(Cell(training("labels-shuffle"), PLAN, runs))
    assert seen[0] == tmp_path
    assert seen[1] != tmp_path / "not-here"
    assert not seen[1].exists()
    assert list(tmp_path.iterdir()) == []


def made_results():
    """Every measure of row i is i/10; over resamples it adds the same 0, 1, ..., 100."""
    return {
        t.name: CellResult(
            t.name,
            {
                heads: {
                    name: Resampled(SHIFTS[t.name], [SHIFTS[t.name] + r for r in range(101)])
                    for name in (*MEASURES, ablation.EXACT)
                }
                for heads in t.restored_heads
            },
            2.0,
        )
        for t in trainings()
    }


def test_intervals_are_percentiles_and_differences_are_paired():
    found = assemble(PLAN, trainings(), made_results())
    assert len(found.rows) == 14
    assert (len(found.cube), len(found.switches)) == (8, 6)
    assert found.rows[0] is found.historic
    assert not found.historic.differences
    estimate = found.historic.measures["drift_first"]
    assert (estimate.value, estimate.low, estimate.high) == (0, 2.5, 97.5)
    last = found.rows[-1]
    assert last.trait_off == "drops_zero_targets"
    difference = last.differences["nll_gap"]
    # what resamples have in common cancels
    assert [difference.value, difference.low, difference.high] == pytest.approx([0.9] * 3)
    assert (found.num_context, found.later, found.seconds) == (2, 6, 20.0)


def test_all_cells_are_run_and_the_table_is_made(tmp_path, monkeypatch):
    asked, told = {}, []

    def finish_cells(work, cells, store, result_type, *, workers, on_result):
        asked.update(work=work, cells=cells, store=store, workers=workers)
        results = made_results()
        for cell in cells.values():
            on_result(results[cell.training.name])
        return [results[cell.training.name] for cell in cells.values()]

    monkeypatch.setattr(ablation, "finish_cells", finish_cells)
    found = ablation.ablate(PLAN, tmp_path, workers=LocalWorkers(2), on_result=told.append)
    assert found == assemble(PLAN, trainings(), made_results())
    assert (asked["work"], asked["workers"], len(told)) == (run_cell, LocalWorkers(2), 10)


def test_another_plan_has_other_cells(tmp_path, monkeypatch):
    keys = []

    def finish_cells(work, cells, *_, **__):
        keys.append(set(cells))
        return list(made_results().values())

    monkeypatch.setattr(ablation, "finish_cells", finish_cells)
    for changes in ((3, 12, 1), (4, 12, 1), (3, 13, 1), (3, 12, 2)):
        ablation.ablate(Plan(*changes, PLAN.process), tmp_path, workers=LocalWorkers(1))
    assert len(set.union(*keys)) == 4 * 10
