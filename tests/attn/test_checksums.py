import hashlib
import re
import subprocess

import pytest

from attn.checksums import SUMS, ChecksumError, check_sum, read_sums, record_sums

CONTENT = {"a.json": b"[1, 2]", "b.toml": b"", "c": b"\x00" * 100}


@pytest.fixture
def folder(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    record_sums(tmp_path, ["a.json", "b.toml", "missing"])
    return tmp_path


def test_the_sums_are_those_that_sha256sum_takes(folder):
    wanted = {name: hashlib.sha256(CONTENT[name]).hexdigest() for name in ("a.json", "b.toml")}
    assert read_sums(folder) == wanted
    subprocess.run(["sha256sum", "--strict", "--check", SUMS], cwd=folder, check=True, capture_output=True)


def test_what_is_as_it_was_passes_and_so_does_what_has_no_sum(folder, tmp_path):
    for name in (*CONTENT, "missing"):
        check_sum(folder / name)
    (folder / "c").write_bytes(b"other")
    check_sum(folder / "c")


def test_every_bit_counts(folder):
    path = folder / "a.json"
    for bit in range(8 * len(CONTENT["a.json"])):
        content = bytearray(CONTENT["a.json"])
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(ChecksumError, match=rf"^{re.escape(str(path))} is damaged or was changed"):
            check_sum(path)


def test_no_turned_bit_of_the_sums_vouches_for_another_file(folder):
    whole = (folder / SUMS).read_bytes()
    (folder / "a.json").write_bytes(b"[1, 3]")
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        (folder / SUMS).write_bytes(content)
        name = content[66:72]  # the name in the first line: under another one the file has no sum
        if bytes(name) == b"a.json" or not re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            with pytest.raises(ChecksumError, match=SUMS):
                check_sum(folder / "a.json")


def test_a_file_that_has_a_sum_must_be_there(folder):
    (folder / "a.json").unlink()
    with pytest.raises(ChecksumError, match=r"a\.json could not be read: No such file or directory"):
        check_sum(folder / "a.json")


def test_a_sum_is_taken_anew_only_of_what_was_changed(folder):
    before = read_sums(folder)
    (folder / "a.json").write_bytes(b"damaged meanwhile")
    (folder / "b.toml").write_bytes(b"written anew")
    record_sums(folder, CONTENT, changed=["b.toml"])
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in CONTENT}
    assert read_sums(folder) == {**digests, "a.json": before["a.json"]}


@pytest.mark.parametrize("content", [b"x", b"abc  a.json\n", b"\xff\n", b"0" * 64 + b"  a.json"])
def test_what_is_no_list_of_sums_is_refused(folder, content):
    (folder / SUMS).write_bytes(content)
    with pytest.raises(ChecksumError, match="SHA256SUMS is damaged: a line must hold"):
        check_sum(folder / "a.json")
