"""What is on disk is restored whole, or refused in one sentence that names what is wrong."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from attn.arrange import arrange
from attn.models import HistoricConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import teacher_force
from attn.runs import RunError, load_run, load_weights, save_weights, weights_of
from attn.tensors import load_tensors, save_tensors
from attn.train import TrainConfig, train

SMALL = HistoricConfig(width=8, num_heads=1, layer_dims=(8, 8, 4), num_rows=300)
QUICK = TrainConfig(
    regime="shuffle",
    num_context=2,
    num_epochs=1,
    steps_per_epoch=2,
    batch_size=4,
    warmup_steps=1,
    num_test_pairs=4,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "first"
    return train(directory, SMALL, QUICK, PairProcess(num_points=4, label="rank"))


def copy_of(trained, tmp_path, name="copy"):
    copy = tmp_path / name
    copy.mkdir()
    for file in ("spec.json", "history.json", "weights.safetensors"):
        (copy / file).write_bytes((trained.directory / file).read_bytes())
    return copy


def test_a_run_comes_back_as_it_was(trained, tmp_path):
    loaded = load_run(copy_of(trained, tmp_path))
    assert loaded.name == "copy"
    assert loaded.spec == trained.spec
    assert loaded.history == trained.history
    assert loaded.process == trained.process
    assert loaded.process.label == "rank"
    for one, other in zip(loaded.model.trainable_variables, trained.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_spec_says_what_was_trained_with_what(trained):
    assert trained.spec["packages"].keys() >= {"python", "tensorflow", "keras", "numpy"}
    assert trained.spec["seed"] == 0
    assert "git_commit" in trained.spec
    assert trained.spec["training"]["regime"] == "shuffle"


@pytest.mark.parametrize("field", [field.name for field in fields(HistoricConfig) if field.name != "kind"])
def test_a_restore_that_differs_in_any_field_is_refused_by_name(field, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(build_model(SMALL, 0), path)
    value = getattr(SMALL, field)
    changed = {
        bool: lambda: not value,
        int: lambda: value * 2,
        float: lambda: value * 2,
        tuple: lambda: (8, 8, 5),
    }[type(value)]()
    other = build_model(replace(SMALL, **{field: changed}), 0)
    with pytest.raises(RunError, match=f"^{field} must be "):
        load_weights(other, path)


def test_another_number_of_heads_in_the_spec_is_refused(trained, tmp_path):
    copy = copy_of(trained, tmp_path)
    spec = json.loads((copy / "spec.json").read_text())
    spec["model"]["num_heads"] = 4
    (copy / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(RunError, match=r"num_heads must be 1, as when .* was trained; got 4"):
        load_run(copy)


def test_another_kind_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(build_model(SMALL, 0), path)
    with pytest.raises(RunError, match="must be"):
        load_weights(build_model(PairTransformerConfig(width=8, num_heads=1), 0), path)


@pytest.mark.parametrize(
    "config", [SMALL, PairTransformerConfig(width=8, num_layers=3, num_heads=2, hidden_dim=8)]
)
def test_a_restored_model_predicts_what_the_saved_one_did(config, tmp_path):
    rng = np.random.default_rng(0)
    batch = arrange(PairProcess(num_points=5).sample(3, rng), "forecast", 2, rng)
    saved, restored = build_model(config, 0), build_model(config, 1)
    assert np.nanmax(np.abs(teacher_force(saved, batch).mean - teacher_force(restored, batch).mean)) > 1e-3
    save_weights(saved, tmp_path / "w.safetensors")
    load_weights(restored, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(teacher_force(saved, batch).mean, teacher_force(restored, batch).mean)
    assert len(weights_of(saved)) == len(saved.trainable_variables)


def test_two_weights_of_one_path_are_refused(tmp_path):
    class Twice:
        def __init__(self, model):
            self.config, self.trainable_variables = model.config, 2 * model.trainable_variables

    with pytest.raises(RunError, match="every weight of a model needs a path of its own; several are called"):
        save_weights(Twice(build_model(SMALL, 0)), tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda arrays: arrays.pop("historic/head/bias"), "historic/head/bias is missing"),
        (lambda arrays: arrays.update(extra=np.zeros(2)), "extra does not"),
        (
            lambda arrays: arrays.update({"historic/head/bias": np.zeros(3)}),
            r"must have shape \(2,\); got \(3,\)",
        ),
    ],
    ids=["missing", "left over", "shape"],
)
def test_every_weight_is_used_and_set(change, sentence, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(build_model(SMALL, 0), path)
    saved = load_tensors(path)
    change(saved.arrays)
    save_tensors(path, saved.arrays, saved.description)
    with pytest.raises(RunError, match=sentence):
        load_weights(build_model(SMALL, 0), path)


@pytest.mark.parametrize("file", ["spec.json", "history.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "empty"])
def test_a_damaged_run_is_one_sentence_that_names_the_file(trained, tmp_path, file, damage):
    copy = copy_of(trained, tmp_path)
    content = (copy / file).read_bytes()
    (copy / file).write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(RunError, match=file.replace(".", r"\.")) as error:
        load_run(copy)
    assert "\n" not in str(error.value)


def test_a_run_without_weights_is_refused(trained, tmp_path):
    copy = copy_of(trained, tmp_path)
    (copy / "weights.safetensors").unlink()
    with pytest.raises(RunError, match=r"weights\.safetensors must exist"):
        load_run(copy)


def test_another_schema_is_refused(trained, tmp_path):
    copy = copy_of(trained, tmp_path)
    (copy / "spec.json").write_text('{"schema_version": 99}')
    with pytest.raises(RunError, match=r"schema version of .* must be 1; got 99"):
        load_run(copy)
