"""`attn train --config`: the file of one run makes the same run again."""

import hashlib
import json
import shutil
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from attn.checksums import record_sums
from attn.commands.config_file import ConfigFile
from attn.models import PairTransformerConfig, build_model
from attn.processes import named_process
from attn.runs import load_run, weights_of
from attn.train import TrainConfig, train

TINY = ["--num-points", "8", "--width", "4", "--heads", "1", "--epochs", "1", "--steps-per-epoch", "3"]
TINY += ["--batch-size", "2", "--num-test-pairs", "4", "--context", "3", "--layers", "1", "--hidden-dim", "4"]


def weights(directory):
    return weights_of(load_run(directory).model)


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run of a small model, its directory."""
    model = PairTransformerConfig(width=4, num_layers=1, num_heads=1, hidden_dim=4)
    training = TrainConfig(
        num_context=3, num_epochs=1, steps_per_epoch=3, batch_size=2, num_test_pairs=4, seed=5
    )
    process = replace(named_process("matern_const_2D"), num_points=8)
    return train(tmp_path_factory.mktemp("runs") / "first", model, training, process).directory


@pytest.mark.slow
def test_a_run_holds_the_config_that_makes_it_again_bit_for_bit(attn, first, tmp_path):
    code, _, err = attn("train", "--run", "again", "--config", first / "config.toml")
    assert code == 0, err
    again = tmp_path / "runs/again"
    assert (again / "config.toml").read_bytes() == (first / "config.toml").read_bytes()
    assert same(weights(first), weights(again))
    untrained = build_model(load_run(first).model.config, seed=5)
    assert not same(weights(first), weights_of(untrained))


def test_the_config_names_every_field_of_model_training_and_process(first):
    config, spec = (
        tomllib.loads((first / "config.toml").read_text()),
        json.loads((first / "spec.json").read_text()),
    )
    assert config == {part: spec[part] for part in ("model", "training", "process")}


@pytest.mark.slow
def test_what_stands_on_the_command_line_overrules_the_file(attn, first, tmp_path):
    options = ["--width", 8, "--context", 4, "--num-points", 9, "--epochs", 2]
    assert attn("train", "--run", "wide", "--config", first / "config.toml", *options)[0] == 0
    before = json.loads((first / "spec.json").read_text())
    after = json.loads((tmp_path / "runs/wide/spec.json").read_text())
    assert after["model"] == {**before["model"], "width": 8}
    assert after["training"] == {**before["training"], "num_context": 4, "num_epochs": 2}
    assert after["process"] == {**before["process"], "num_points": 9}


@pytest.mark.slow
def test_another_model_and_another_kernel_replace_those_of_the_file(attn, first, tmp_path):
    options = ["--model", "historic", "--width", 4, "--kernel", "rbf_const_2D", "--num-points", 8]
    assert attn("train", "--run", "old", "--config", first / "config.toml", *options)[0] == 0
    spec = json.loads((tmp_path / "runs/old/spec.json").read_text())
    assert (spec["model"]["kind"], spec["process"]["kernel"]) == ("historic", "rbf")
    assert spec["training"]["seed"] == 5


@pytest.mark.slow
def test_data_of_a_file_stand_in_the_config(attn, tmp_path):
    attn("data", "--kernel", "rbf_const_2D", "--number", 10, "--num-points", 8)
    pairs = "data/rbf_const_2D/pairs.npz"
    tiny = TINY[2:]  # --num-points is for pairs that are drawn
    assert attn("train", "--run", "a", "--pairs", pairs, *tiny)[0] == 0
    config = tomllib.loads((tmp_path / "runs/a/config.toml").read_text())
    assert config["data"]["pairs"] == pairs
    assert "process" not in config
    assert attn("train", "--run", "b", "--config", "runs/a/config.toml")[0] == 0
    assert same(weights(tmp_path / "runs/a"), weights(tmp_path / "runs/b"))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("[modle]\n", "may hold the tables [model], [training], [process], [data], [start_from]; got modle"),
        ("[training]\nepochs = 3\n", "[training] of a config has the fields batch_size,"),
        ('[training]\nnum_epochs = "few"\n', "num_epochs has a wrong form"),
        ("[training]\nnum_epochs = 0\n", "num_epochs must be at least 1; got 0"),
        ("[model]\nwidth = 4\n", "the kind of a model must be one of historic,"),
        ('[model]\nkind = "historic"\ndepth = 4\n', "a historic model has the fields"),
        ("[process]\nnoise_scale = -1\n", "noise_scale must be finite and not negative; got -1.0"),
        ("[process]\nnoise = 1\n", "[process] of a config has the fields"),
        ('[data]\ntable = "a.csv"\n', "[data] of a config has the fields"),
        ('[data]\ncsv = "a.csv"\npairs = "b.npz"\n', "data must come from one source; got --pairs and --csv"),
        ('[process]\nkernel = "rbf"\n[data]\ncsv = "a.csv"\n', "got [process] and csv in c.toml"),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(refused, tmp_path, config, sentence):
    (tmp_path / "c.toml").write_text(config)
    assert sentence in refused("train", "--run", "r", "--config", "c.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]


@pytest.mark.slow
def test_a_run_that_was_trained_on_is_made_again_from_the_same_weights_only(attn, refused, first, tmp_path):
    shutil.copytree(first, tmp_path / "first")
    assert attn("train", "--run", "tuned", "--config", first / "config.toml", "--start-from", "first")[0] == 0
    config = tmp_path / "runs/tuned/config.toml"
    digest = hashlib.sha256((first / "weights.safetensors").read_bytes()).hexdigest()
    said = tomllib.loads(config.read_text())["start_from"]
    assert said == {"starting_run": "first", "starting_weights": digest}
    assert attn("train", "--run", "again", "--config", config)[0] == 0
    assert same(weights(tmp_path / "runs/tuned"), weights(tmp_path / "runs/again"))
    assert not same(weights(first), weights(tmp_path / "runs/tuned"))
    shutil.copy(tmp_path / "runs/tuned/weights.safetensors", tmp_path / "first/weights.safetensors")
    message = refused("train", "--run", "other", "--config", config)
    assert message.startswith("the run to start from must be that of [start_from] in the config")
    assert not (tmp_path / "runs/other").exists()


def test_the_config_of_a_run_is_followed_as_it_was_written_and_its_copy_may_be_changed(refused, tmp_path):
    run = tmp_path / "runs/mine"
    run.mkdir(parents=True)
    (run / "config.toml").write_text("[training]\nnum_epochs = 3\n")
    record_sums(run, ["config.toml"])
    (run / "config.toml").write_text("[training]\nnum_epochs = 0\n")
    message = refused("train", "--run", "r", "--config", "runs/mine/config.toml")
    assert message.startswith("runs/mine/config.toml is damaged or was changed: ")
    shutil.copy(run / "config.toml", "copy.toml")
    assert "num_epochs must be at least 1" in refused("train", "--run", "r", "--config", "copy.toml")


@pytest.mark.parametrize("spec", [{}, {"model": None}, {"model": 3}, {"model": "historic"}, {"model": []}])
def test_a_run_to_start_from_without_a_model_is_refused(tmp_path, spec):
    (tmp_path / "spec.json").write_text(json.dumps({"schema_version": 1, **spec}))
    file = ConfigFile.read(None, frozenset())
    with pytest.raises(ValueError, match=r"the spec of a run must describe its model; that of .* does not"):
        file.model_fields(None, tmp_path)
