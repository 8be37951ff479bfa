from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Attention, Pairs
from diagnostics.adapters import OracleSubject
from diagnostics.result import Symptom
from diagnostics.symptom import measure_symptom

PROCESS = PairProcess(num_points=16)
SIZES = {"num_pairs": 40, "num_samples": 3}


def blind_to_labels(batch):
    return replace(batch, series=np.zeros_like(batch.series))


class Blind(OracleSubject):
    """The oracle of a process in which both series share one level."""

    def teacher_force(self, batch):
        return self.process.posterior(blind_to_labels(batch))

    def rollout(self, batch, num_samples, rng, feed="sample"):
        return super().rollout(blind_to_labels(batch), num_samples, rng, feed)

    def attention(self, batch):
        earlier = np.tri(batch.num_points, k=-1) * np.ones((1, batch.num_pairs, 2, 1, 1))
        positions = np.arange(batch.num_points)
        return Attention(earlier / np.maximum(earlier.sum(-1, keepdims=True), 1), positions, positions)


class Minimal:
    name = "minimal"
    teacher_force = OracleSubject(PROCESS).teacher_force
    predict_next = OracleSubject(PROCESS).predict_next


def named(symptom):
    return {measure.name: measure for measure in symptom.measures}


@pytest.fixture(scope="module")
def oracle():
    return measure_symptom(OracleSubject(PROCESS), PROCESS, **SIZES)


@pytest.fixture(scope="module")
def blind():
    return measure_symptom(Blind(PROCESS, "blind"), PROCESS, **SIZES)


def test_the_oracle_shows_no_symptom(oracle):
    measures = named(oracle)
    for name in ("drift_first", "drift_later", "nll_gap"):
        assert measures[name].value == pytest.approx(0, abs=1e-9)
    for kind in ("teacher_forced", "free_running"):
        same = measures[f"rmse_{kind}"].value, measures[f"rmse_oracle_{kind}"].value
        assert same[0] == pytest.approx(same[1])
    assert measures["z_square"].value == pytest.approx(1, abs=0.2)
    assert measures["coverage_90"].value == pytest.approx(0.9, abs=0.05)
    assert measures["jump_ratio"].value < 1.05
    assert measures["r2_shuffled"].value > 0.5
    assert all(measure.low <= measure.value <= measure.high for measure in oracle.measures)


def test_a_label_blind_subject_drops(blind):
    measures = named(blind)
    assert measures["drift_first"].low > 0.05
    assert measures["nll_gap"].low > 0.1
    assert measures["rmse_free_running"].low > measures["rmse_oracle_free_running"].high


def test_curves_run_over_the_targets_and_begin_with_the_first(blind):
    curves = {curve.name: curve for curve in blind.curves}
    assert set(curves) == {
        "rmse_teacher_forced",
        "rmse_free_running",
        "rmse_oracle_teacher_forced",
        "rmse_oracle_free_running",
        "drift",
        "coverage_teacher_forced",
        "coverage_free_running",
    }
    assert curves["drift"].at == [float(h) for h in range(1, 13)]
    assert curves["drift"].value[0] == pytest.approx(named(blind)["drift_first"].value)
    # the first target is predicted from the context alone, teacher forced or not
    assert curves["rmse_free_running"].value[0] == pytest.approx(curves["rmse_teacher_forced"].value[0])


def test_examples_are_best_median_and_worst(oracle):
    assert [example.title.split()[0] for example in oracle.examples] == ["best", "median", "worst"]
    errors = []
    for example in oracle.examples:
        assert len(example.samples) == 3
        assert {len(row) for row in (example.x, example.y, example.mean, *example.samples)} == {32}
        assert example.mean[: example.num_context] == pytest.approx(example.y[: example.num_context])
        target = slice(example.num_context, None)
        assert example.oracle_mean[target] == pytest.approx(example.mean[target])
        errors.append(np.sqrt(np.mean((np.array(example.mean) - example.y)[target] ** 2)))
    assert errors == sorted(errors)


def test_beside_another_subject_the_same_pairs_are_shown(oracle):
    other = measure_symptom(Blind(PROCESS, "blind"), PROCESS, beside=oracle, **SIZES)
    alone = measure_symptom(Blind(PROCESS, "blind"), PROCESS, **SIZES)
    for mine, theirs in zip(other.examples, oracle.examples, strict=True):
        assert (mine.rank, mine.pair, mine.y) == (theirs.rank, theirs.pair, theirs.y)
        assert mine.title.startswith(f"{mine.rank} of 40 pairs for oracle: free-running error ")
    assert [e.pair for e in alone.examples] != [e.pair for e in other.examples]


def test_the_oracle_is_calibrated_bin_by_bin(oracle):
    found = {histogram.name: histogram for histogram in oracle.histograms}
    assert set(found) == {"pit_teacher_forced", "pit_free_running"}
    for histogram in found.values():
        assert histogram.at == pytest.approx(np.arange(0.05, 1, 0.1))
        assert np.mean(histogram.value) == pytest.approx(1)
        covered = (np.array(histogram.low) <= 1) & (np.array(histogram.high) >= 1)
        # of ten 95 % intervals at most two miss
        assert covered.sum() >= 8


def test_attention_is_shown_where_it_is_offered(blind, oracle):
    assert oracle.attention is None
    assert any("does not show its attention" in remark for remark in oracle.remarks)
    shown = blind.attention
    assert shown.mass_on_a == pytest.approx(shown.points_of_a)
    assert np.add(shown.mass_on_a, shown.mass_on_b) == pytest.approx(np.ones(12))
    assert shown.points_of_a[0] == pytest.approx(16 / 20)
    assert np.shape(shown.heat_map) == (2, 20)
    assert sum(shown.heat_map_series) == 4


def test_without_a_process_the_truth_stands_for_the_oracle():
    pairs = PROCESS.sample(60, np.random.default_rng(0))
    symptom = measure_symptom(Minimal(), pairs, data="weather", **SIZES)
    assert symptom.data == "weather"
    assert "nll_gap" not in named(symptom)
    assert named(symptom)["drift_first"].low < 0 < named(symptom)["drift_first"].high
    assert any("no oracle" in remark for remark in symptom.remarks)
    assert any("no rollout of its own" in remark for remark in symptom.remarks)
    assert symptom.examples[0].oracle_mean is None


def test_ragged_pairs_are_measured_target_by_target():
    pairs = PROCESS.sample(20, np.random.default_rng(1))
    valid = pairs.valid.copy()
    valid[::2, 12:16] = False  # every other row has 4 points fewer in series 0
    ragged = Pairs(pairs.x, pairs.series, np.where(valid, pairs.y, 0.0), valid)
    symptom = measure_symptom(OracleSubject(PROCESS), ragged, num_context=4, num_samples=2)
    curves = {curve.name: curve for curve in symptom.curves}
    assert len(curves["drift"].at) == 12
    assert np.isfinite(curves["rmse_free_running"].value).all()


def test_the_same_seed_gives_the_same_symptom(oracle):
    again = measure_symptom(OracleSubject(PROCESS), PROCESS, **SIZES)
    assert again.model_dump_json() == oracle.model_dump_json()
    assert Symptom.model_validate_json(again.model_dump_json()).measures == oracle.measures


def test_a_name_that_no_file_can_hold_is_kept_as_far_as_it_can_be():
    process = PairProcess(num_points=6)
    found = measure_symptom(
        OracleSubject(process, "half \ud800\nof"), process, num_pairs=4, num_context=2, seed=0
    )
    assert found.subject == "half ? of"
    found.model_dump_json()
