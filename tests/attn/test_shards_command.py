"""`attn data --shards` and `attn train --shards`."""

import json
import os
from dataclasses import replace

import pytest

from attn.config import to_toml
from attn.processes import PairProcess, named_process
from attn.shards import open_shards

DATA = ["data", "--kernel", "rbf_const_2D", "--number", "30", "--num-points", "6", "--shards", "5"]
TRAIN = ["train", "--run", "r", "--shards", "data/rbf_const_2D/shards", "--model", "historic", "--width", "4"]
TRAIN += ["--heads", "1", "--epochs", "1", "--steps-per-epoch", "3", "--batch-size", "4", "--context", "3"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data/rbf_const_2D/shards"


class TestData:
    def test_shards_are_drawn_and_named_as_json(self, attn, folder):
        code, out, err = attn(*DATA, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == {
            "folder": "data/rbf_const_2D/shards",
            "num_pairs": 30,
            "num_points": 12,
            "num_shards": 5,
            "num_shards_drawn": 5,
        }
        shards = open_shards(folder)
        assert (shards.num_pairs, shards.num_shards, shards.seed) == (30, 5, 0)
        assert shards.process == PairProcess(kernel="rbf", shift="const", num_points=6)

    def test_in_a_line_or_not_at_all_and_with_examples(self, attn, folder):
        code, out, err = attn(*DATA, "--plot")
        assert (code, err) == (0, "")
        assert out == (
            "data/rbf_const_2D/shards: 30 pairs of 12 points in 5 shards, of which 5 were drawn now\n"
            "data/rbf_const_2D/examples.png: examples\n"
        )
        assert (folder.parent / "examples.png").stat().st_size > 1000
        assert attn(*DATA, "--quiet", "--no-overwrite") == (0, "", "")

    def test_the_same_command_goes_on_where_it_stopped(self, attn, folder):
        attn(*DATA)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        for number in (1, 4):
            os.unlink(folder / f"shard-{number:05d}-of-00005.npz")
        code, out, _ = attn(*DATA)
        assert code == 0
        assert out.endswith("of which 2 were drawn now\n")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_a_finished_set_is_kept_or_drawn_anew_as_was_said(self, attn):
        """The same command may have been killed after the last shard: it must not be refused."""
        attn(*DATA)
        assert attn(*DATA)[:2] == (
            0,
            "data/rbf_const_2D/shards: 30 pairs of 12 points in 5 shards, of which 0 were drawn now\n",
        )
        assert attn(*DATA, "--no-overwrite")[1].endswith("of which 0 were drawn now\n")
        assert attn(*DATA, "--overwrite")[1].endswith("of which 5 were drawn now\n")

    def test_another_set_is_refused(self, attn, refused):
        attn(*DATA)
        assert refused(*DATA, "--seed", "1") == (
            "--overwrite or --no-overwrite must be given where pairs exist and no terminal can be asked;"
            " data/rbf_const_2D/shards/shards.json exists"
        )
        assert refused(*DATA, "--seed", "1", "--no-overwrite") == (
            "data/rbf_const_2D/shards must hold shards with seed 1; they were drawn with 0"
            " (overwrite replaces them)"
        )

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--shards", "31"], "num_shards must be between 1 and 30 (num_pairs); got 31"),
            (["--number", "0"], "num_pairs must be at least 1; got 0"),
            (["--number", "10" + 12 * "0"], "5 shards need 1.2e+06 GB of disk space; data/"),
        ],
    )
    def test_impossible_sets(self, refused, tmp_path, arguments, sentence):
        assert refused(*DATA, *arguments).startswith(sentence)
        assert list(tmp_path.iterdir()) == []

    def test_a_real_pair_is_not_drawn(self, refused):
        said = refused("data", "--real-pair", "temperatures", "--shards", "2")
        assert said == "--shards is for pairs that are drawn; got --real-pair"


class TestTrain:
    def test_a_run_says_what_it_is_trained_on_and_a_config_is_followed(
        self, attn, folder, tmp_path, monkeypatch
    ):
        asked = []
        monkeypatch.setattr("attn.commands.train.train_visibly", lambda *args, **_: asked.append(args))
        attn(*DATA)
        assert attn(*TRAIN) == (0, "", "")
        *_, source, data, _, _ = asked[0]
        assert source == replace(open_shards(folder), folder=folder.relative_to(tmp_path))
        assert data["shards"] == "data/rbf_const_2D/shards"
        (tmp_path / "config.toml").write_text(to_toml({"data": data}))
        again = ["train", "--run", "again", "--config", "config.toml", "--context", "3"]
        assert attn(*again) == (0, "", "")
        assert asked[1][3:5] == asked[0][3:5]
        assert attn(*again, "--kernel", "rbf") == (0, "", "")
        assert asked[2][3:5] == (named_process("rbf"), None)

    def test_what_cannot_be_trained_on_leaves_no_run(self, attn, refused, folder, tmp_path):
        assert refused(*TRAIN).startswith("a folder of shards must hold shards.json")
        attn(*DATA)
        missing = folder / "shard-00004-of-00005.npz"
        missing.rename(tmp_path / "elsewhere")
        assert "must hold 5 shards; missing: 1, the first of them shard-00004-of-00005" in refused(*TRAIN)
        (tmp_path / "elsewhere").rename(missing)
        content = bytearray((folder / "shard-00000-of-00005.npz").read_bytes())
        content[800] ^= 4
        (folder / "shard-00000-of-00005.npz").write_bytes(content)
        assert refused(*TRAIN).startswith(
            f"{folder.relative_to(tmp_path)}/shard-00000-of-00005.npz is damaged"
        )
        assert not (tmp_path / "runs").exists()

    def test_there_is_one_source(self, refused):
        said = refused(*TRAIN, "--kernel", "rbf")
        assert said == "data must come from one source; got --kernel and --shards"
