import os

import pytest

from attn.inputs import LARGEST_TEXT, open_regular, parse_json, read_json, read_text


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes('{"a": "ö"}'.encode())
    with open_regular(tmp_path / "file") as file:
        assert file.read() == '{"a": "ö"}'.encode()
    assert read_json(tmp_path / "file") == {"a": "ö"}


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    assert read_json(tmp_path / "link") == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "it must be a regular file; got a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "it must be a regular file; got a device"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: None, "No such file or directory"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["pipe", "device", "directory", "nothing", "loop"],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, said):
    make(tmp_path / "file")
    for read in (open_regular, read_text):
        with pytest.raises(OSError, match=said) as refused:
            read(tmp_path / "file")
        assert refused.value.filename == str(tmp_path / "file")


def test_refusing_leaves_no_file_open(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pytest.raises(OSError, match="a pipe"):
            open_regular(tmp_path / "pipe")
    assert len(os.listdir("/dev/fd")) == before


def test_a_text_that_could_fill_the_memory_is_not_read(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    with pytest.raises(OSError, match="it must not exceed 256 MiB"):
        read_text(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000, "nul"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_what_is_no_utf_8_is_a_value_error(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff\xfe{\x00}\x00")
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path / "file")
