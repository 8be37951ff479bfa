import numpy as np
import pytest

from attn.tensors import TensorsError, load_tensors, save_tensors

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b/c": np.array(7, np.int64)}


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "t.safetensors"
    save_tensors(path, ARRAYS, {"step": 3, "model": {"width": 8}})
    loaded = load_tensors(path)
    assert loaded.description == {"step": 3, "model": {"width": 8}}
    assert set(loaded.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert (loaded.arrays[name].dtype, loaded.arrays[name].shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("place", [20, -1, -30])
def test_one_changed_bit_is_noticed(tmp_path, place):
    path = tmp_path / "t.safetensors"
    save_tensors(path, ARRAYS, {})
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(TensorsError, match=r"t\.safetensors is damaged"):
        load_tensors(path)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_cut_file_is_noticed(tmp_path, kept):
    path = tmp_path / "t.safetensors"
    save_tensors(path, ARRAYS, {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(TensorsError, match=r"t\.safetensors is damaged"):
        load_tensors(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(TensorsError, match="must exist; it does not"):
        load_tensors(tmp_path / "none")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    save_tensors(path, ARRAYS, {"step": 1})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attn.files.os.fsync", full)
    with pytest.raises(TensorsError, match="could not be written: No space left on device"):
        save_tensors(path, ARRAYS, {"step": 2})
    assert load_tensors(path).description == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]
