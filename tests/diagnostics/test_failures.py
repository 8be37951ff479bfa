import json

import pytest

from diagnostics.failures import Failure, FailureError, failures_of, load_failure, store_failures
from diagnostics.result import CheckResult

FAILURE = Failure(
    spec="my.models:blind", check="no_leak", seed=3, num_pairs=16, status="failed", detail="it leaks"
)


def result(name, status):
    return CheckResult(check=name, family="data", status=status, detail="so", seed=7, repro="", seconds=0.0)


def test_the_id_is_the_same_for_the_same_question_whatever_the_answer():
    assert FAILURE.id == FAILURE.model_copy(update={"status": "error", "detail": "other words"}).id
    changes = [{"spec": "other"}, {"check": "other"}, {"seed": 4}, {"num_pairs": 17}]
    ids = {FAILURE.id, *(FAILURE.model_copy(update=change).id for change in changes)}
    assert len(ids) == 5


def test_the_id_does_not_change_between_versions():
    # sha256 of ["my.models:blind", "no_leak", 3, 16]: IDs stand in other people's notes
    assert FAILURE.id == "77d38da6"


def test_what_failed_or_broke_is_to_be_stored():
    statuses = ("passed", "failed", "skipped", "error", "expected_failure")
    found = failures_of([result(status, status) for status in statuses], spec="mine", num_pairs=8)
    assert [(f.check, f.status, f.spec, f.seed, f.num_pairs) for f in found] == [
        ("failed", "failed", "mine", 7, 8),
        ("error", "error", "mine", 7, 8),
    ]


def test_what_is_stored_is_found(tmp_path):
    folder = tmp_path / "deep" / "failures"
    store_failures(folder, [FAILURE])
    store_failures(folder, [FAILURE])
    assert [path.name for path in folder.iterdir()] == [f"{FAILURE.id}.json"]
    assert load_failure(folder, FAILURE.id) == FAILURE


def test_nothing_to_store_leaves_no_folder(tmp_path):
    store_failures(tmp_path / "failures", [])
    assert not (tmp_path / "failures").exists()


def test_an_unknown_id_is_told_which_there_are(tmp_path):
    with pytest.raises(FailureError, match="has none; got 'cafe'"):
        load_failure(tmp_path / "nowhere", "cafe")
    store_failures(tmp_path / "failures", [FAILURE])
    (tmp_path / "secret.json").write_text(FAILURE.model_dump_json())
    for unknown in ("cafe", "", "../secret", "*"):
        with pytest.raises(FailureError, match=FAILURE.id):
            load_failure(tmp_path / "failures", unknown)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: "{",
        lambda content: "[]",
        lambda content: json.dumps({**content, "schema_version": 2}),
        lambda content: json.dumps({**content, "seed": 4}),
        lambda content: json.dumps({**content, "detail": "it does not leak"}),
        lambda content: json.dumps({**content, "checksum": "0"}),
        lambda content: json.dumps({**content, "num_pairs": "many"}),
        lambda content: json.dumps({**content, "more": 1}),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(change, tmp_path):
    store_failures(tmp_path, [FAILURE])
    path = tmp_path / f"{FAILURE.id}.json"
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(FailureError, match="is damaged") as refused:
        load_failure(tmp_path, FAILURE.id)
    assert "\n" not in str(refused.value)


def test_what_an_older_version_stored_has_no_checksum_and_is_found(tmp_path):
    (tmp_path / f"{FAILURE.id}.json").write_text(FAILURE.model_dump_json(indent=1))
    assert load_failure(tmp_path, FAILURE.id) == FAILURE
