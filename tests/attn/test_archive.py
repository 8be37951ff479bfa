"""Runs deleted, exported and imported, by the library and by `attn runs`."""

import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from attn import archive
from attn.archive import delete_run, export_run, import_run
from attn.catalogue import PRETRAINED, RunError
from attn.checksums import SUMS, record_sums
from attn.locks import locked_run
from attn.tensors import load_tensors, save_tensors

SHIPPED = PRETRAINED / "historic"
FILES = ("spec.json", "history.json", "weights.safetensors")


@pytest.fixture
def mine(tmp_path):
    """A finished run in runs/, with what a training leaves beside it."""
    directory = tmp_path / "runs/mine"
    directory.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SHIPPED / name, directory / name)
    (directory / "config.toml").write_text("[model]\n")
    (directory / "checkpoints").mkdir()
    (directory / "checkpoints/step-000000500.safetensors").write_bytes(b"large")
    return directory


@pytest.fixture
def zipped(tmp_path):
    """Make an archive of the shipped run with other members, or with other content."""

    def make(members):
        path = tmp_path / "other.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members:
                file.writestr(name, content)
        return path

    return make


def members_of(directory, folder="mine"):
    return [(f"{folder}/{name}", (directory / name).read_bytes()) for name in FILES]


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# delete


def test_a_run_is_deleted_and_nothing_beside_it(mine):
    beside = shutil.copytree(mine, mine.with_name("other"))
    before = tree(beside)
    delete_run(mine)
    assert list(mine.parent.iterdir()) == [beside]
    assert tree(beside) == before


def _shipped(mine):
    return SHIPPED, "must not be one that ships with the package; got historic"


def _linked(mine):
    link = mine.with_name("link")
    link.symlink_to(mine)
    return link, "is a link to one"


def _with_notes(mine):
    (mine / "notes.txt").write_text("mine")
    return mine, "must hold nothing but a run; .*mine holds notes.txt"


def _no_run(mine):
    (mine / "spec.json").write_text("{")
    return mine, "is damaged"


@pytest.mark.parametrize("case", [_shipped, _linked, _with_notes, _no_run])
def test_what_is_not_wholly_a_run_of_the_user_is_not_deleted(mine, case):
    directory, sentence = case(mine)
    before = tree(directory.parent)
    with pytest.raises(RunError, match=sentence):
        delete_run(directory)
    assert tree(directory.parent) == before


def test_a_link_in_a_run_is_deleted_and_not_what_it_leads_to(mine, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("kept")
    (mine / "tensorboard").symlink_to(tmp_path / "kept")
    delete_run(mine)
    assert (tmp_path / "kept/file").read_text() == "kept"


# export and import


def test_an_exported_run_comes_back_byte_for_byte(mine, tmp_path):
    export_run(mine, tmp_path / "mine.zip")
    back = import_run(tmp_path / "mine.zip", tmp_path / "elsewhere")
    assert back == tmp_path / "elsewhere/mine"
    assert {path.name: content for path, content in tree(back).items()} == {
        name: (mine / name).read_bytes() for name in (*FILES, "config.toml")
    }
    assert [path.name for path in back.parent.iterdir()] == ["mine"]


def test_the_same_run_gives_the_same_archive(mine, tmp_path):
    export_run(mine, tmp_path / "one.zip")
    (mine / "history.json").touch()
    export_run(mine, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_run_that_is_not_finished_is_not_exported(mine, tmp_path):
    (mine / "weights.safetensors").unlink()
    with pytest.raises(RunError, match=r"must be finished; .*mine has no weights\.safetensors"):
        export_run(mine, tmp_path / "mine.zip")
    assert not (tmp_path / "mine.zip").exists()


def test_a_run_that_exists_is_not_imported_over(mine, tmp_path):
    export_run(mine, tmp_path / "mine.zip")
    before = tree(mine)
    with pytest.raises(RunError, match="needs a name that is free"):
        import_run(tmp_path / "mine.zip", mine.parent)
    assert tree(mine) == before
    assert import_run(tmp_path / "mine.zip", mine.parent, "again").name == "again"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mine/../../evil.json", "may hold spec.json, .*; .* holds 'mine/../../evil.json'"),
        ("mine/code.py", "holds 'mine/code.py'"),
        ("mine/checkpoints/spec.json", "holds 'mine/checkpoints/spec.json'"),
        ("mine/", "holds 'mine/'"),
        ("/etc/spec.json", "must hold one directory"),
        ("other/config.toml", "must hold one directory"),
        ("spec.json", "must hold one directory"),
        ("mine/spec.json", "each file once"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_no_file_of_a_run_is_refused(zipped, tmp_path, name, sentence):
    path = zipped([*members_of(SHIPPED), (name, b"{}")])
    with pytest.raises(RunError, match=sentence):
        import_run(path, tmp_path / "runs")
    assert [found.name for found in tmp_path.iterdir()] == ["other.zip"]


@pytest.mark.parametrize("folder", ["..", ".hidden", "a b", ""])
def test_a_name_that_is_none_of_a_run_is_refused(zipped, tmp_path, folder):
    path = zipped(members_of(SHIPPED, folder))
    with pytest.raises(RunError, match="the name of a run must be"):
        import_run(path, tmp_path / "runs")
    assert [found.name for found in tmp_path.iterdir()] == ["other.zip"]


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(archive._LARGEST, "history.json", 1000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members_of(SHIPPED):
            file.writestr(name, content if "history" not in name else b"[" + b" " * 10**6 + b"]")
    assert path.stat().st_size < 10**6
    with pytest.raises(RunError, match=r"history\.json must not exceed 1000 bytes; it has 1000002"):
        import_run(path, tmp_path / "runs")


def _missing(members):
    return members[:-1], r"has no weights\.safetensors"


def _cut(members):
    return [*members[:-1], (members[-1][0], members[-1][1][:-9])], r"weights\.safetensors in .*zip is damaged"


def _bad_spec(members):
    return [(members[0][0], b"{"), *members[1:]], "is damaged: it is not JSON"


def _other_model(members):
    spec = json.loads(members[0][1])
    spec["model"]["num_heads"] += 1
    return [(members[0][0], json.dumps(spec).encode()), *members[1:]], "must belong to the model of the spec"


@pytest.mark.parametrize("case", [_missing, _cut, _bad_spec, _other_model])
def test_a_run_that_is_not_whole_is_refused(zipped, tmp_path, case):
    members, sentence = case(members_of(SHIPPED))
    with pytest.raises(RunError, match=sentence):
        import_run(zipped(members), tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))


def test_a_weight_that_was_changed_is_refused(mine, zipped, tmp_path):
    path = mine / "weights.safetensors"
    saved = load_tensors(path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RunError, match="do not have the checksum"):
        import_run(zipped(members_of(mine)), tmp_path / "new")
    save_tensors(path, saved.arrays, saved.description)
    back = load_tensors(import_run(zipped(members_of(mine)), tmp_path / "new") / path.name)
    assert all(np.array_equal(back.arrays[name], array) for name, array in saved.arrays.items())


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"could not be read|must be an archive that attn runs export wrote"):
        import_run(path, tmp_path / "runs")


# the commands


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_runs_delete_asks_first(attn, refused, mine, monkeypatch):
    assert "--yes must be given where no terminal can be asked" in refused("runs", "delete", "runs/mine")
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    code, out, err = attn("runs", "delete", "runs/mine")
    assert (code, err) == (130, "attn: interrupted\n")
    assert "Delete runs/mine for good?" in out
    assert mine.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert attn("runs", "delete", "runs/mine")[0] == 0
    assert not mine.exists()


def test_runs_delete_deletes_all_or_none(refused, attn, mine):
    shutil.copytree(mine, mine.with_name("other"))
    assert "ships with the package" in refused("runs", "delete", "--yes", "runs/mine", "historic")
    assert "a run must be one of" in refused("runs", "delete", "--yes", "runs/mine", "runs/third")
    assert mine.exists()
    code, out, _ = attn("runs", "delete", "--yes", "runs/mine", "runs/other", "runs/mine")
    assert (code, out) == (0, "runs/mine: deleted\nruns/other: deleted\n")
    assert list(mine.parent.iterdir()) == []


def test_runs_delete_says_which_are_gone_where_one_cannot_go(attn, mine, monkeypatch):
    shutil.copytree(mine, mine.with_name("other"))

    def delete(directory):
        if directory.name == "other":
            raise RunError("runs/other could not be deleted: busy")
        shutil.rmtree(directory)

    monkeypatch.setattr(archive, "delete_run", delete)
    code, out, err = attn("runs", "delete", "--yes", "runs/mine", "runs/other")
    assert (code, out) == (2, "runs/mine: deleted\n")
    assert "runs/other could not be deleted" in err


def test_what_is_done_to_runs_can_be_told_to_a_program_or_to_nobody(attn, mine):
    code, out, _ = attn("runs", "export", "runs/mine", "--json")
    assert (code, json.loads(out)) == (0, {"file": "mine.zip", "bytes": Path("mine.zip").stat().st_size})
    assert attn("runs", "export", "runs/mine", "--overwrite", "--quiet") == (0, "", "")
    assert json.loads(attn("runs", "import", "mine.zip", "--name", "b", "--json")[1]) == {"run": "runs/b"}
    assert attn("runs", "import", "mine.zip", "--name", "c", "--quiet") == (0, "", "")
    assert json.loads(attn("runs", "delete", "--yes", "runs/b", "--json")[1]) == {"deleted": ["runs/b"]}
    assert attn("runs", "delete", "--yes", "runs/c", "--quiet") == (0, "", "")


def test_runs_export_and_import(attn, refused, mine, tmp_path):
    assert attn("runs", "export", "runs/mine")[0] == 0
    assert "exists (--overwrite replaces it)" in refused("runs", "export", "runs/mine")
    assert attn("runs", "export", "runs/mine", "--overwrite")[0] == 0
    assert attn("runs", "export", "historic", "--out", "h.zip")[0] == 0
    assert "needs a name that is free" in refused("runs", "import", "mine.zip")
    code, out, _ = attn("runs", "import", "mine.zip", "--name", "again")
    assert (code, out) == (0, "runs/again: imported\n")
    code, out, _ = attn("runs", "import", "h.zip", "--folder", "others")
    assert (code, out) == (0, "others/historic: imported\n")
    assert "the name of a run must be" in refused("runs", "import", "h.zip", "--name", "../x")


def test_runs_are_listed_as_json_with_their_figures(attn, mine):
    (mine.with_name("broken")).mkdir()
    (mine.with_name("broken") / "spec.json").write_text("{")
    code, out, _ = attn("runs", "--json")
    assert code == 0
    listed = {entry["run"]: entry for entry in json.loads(out)}
    assert attn("runs", "list", "--json")[1] == out
    assert listed["runs/broken"] == {"run": "runs/broken", "damaged": True}
    last = json.loads((mine / "history.json").read_text())[-1]
    assert listed["runs/mine"]["figures"]["test_mse"] == last["test_mse"]
    assert listed["runs/mine"]["epochs"] == len(json.loads((mine / "history.json").read_text()))
    assert "historic" in listed


def test_runs_are_listed_from_another_folder(attn, mine):
    mine.parent.rename(mine.parent.with_name("kept"))
    assert "kept/mine" in attn("runs", "--folder", "kept")[1]
    assert "kept/mine" in attn("runs", "list", "--folder", "kept")[1]
    assert "kept/mine" not in attn("runs")[1]


# locks and checksums


def test_a_run_that_another_process_trains_is_not_deleted_nor_imported_over(mine, tmp_path):
    export_run(mine, tmp_path / "mine.zip")
    before = tree(mine)
    with locked_run(mine, "trained"):
        with pytest.raises(RunError, match="mine is being trained by process"):
            delete_run(mine)
        with pytest.raises(RunError, match="mine is being trained by process"):
            import_run(tmp_path / "mine.zip", mine.parent)
    assert tree(mine) == before


def test_the_checksums_of_a_run_travel_with_it_and_are_looked_at(mine, zipped, tmp_path):
    record_sums(mine, FILES)
    export_run(mine, tmp_path / "mine.zip")
    back = import_run(tmp_path / "mine.zip", tmp_path / "new")
    assert (back / SUMS).read_bytes() == (mine / SUMS).read_bytes()
    history = json.loads((mine / "history.json").read_text())
    history[0]["train_loss"] += 1
    members = [*members_of(SHIPPED), (f"mine/{SUMS}", (mine / SUMS).read_bytes())]
    members[1] = ("mine/history.json", json.dumps(history))
    with pytest.raises(RunError, match=r"history\.json in .*other\.zip is damaged or was changed"):
        import_run(zipped(members), tmp_path / "other")
    (mine / "history.json").write_text(json.dumps(history))
    with pytest.raises(RunError, match=r"mine/history\.json is damaged or was changed"):
        export_run(mine, tmp_path / "again.zip")
    assert not (tmp_path / "again.zip").exists()


@pytest.mark.parametrize("killed_in", ["its files", "the last step"])
def test_a_deletion_that_was_killed_is_finished(killed_in, attn, refused, mine):
    mine.rename(mine.with_name(".mine.deleted"))
    mine.with_name(".mine.lock").write_text("deleted by process 1 on host h since 2001-01-01 00:00:00 UTC")
    if killed_in == "the last step":
        shutil.rmtree(mine.with_name(".mine.deleted"))
    assert attn("runs", "delete", "runs/mine")[:2] == (0, "runs/mine: deleted\n")  # it was confirmed before
    assert list(mine.parent.iterdir()) == []
    assert "a run must be one of" in refused("runs", "delete", "--yes", "runs/mine")
