from diagnostics.cells.code import fingerprint


def test_the_fingerprint_is_of_all_code_and_weights(tmp_path):
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "code.py").write_text("x = 1")
    (tmp_path / "three" / "code.py").write_text("x = 2")
    one, two, three = (fingerprint(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one == two != three
    (tmp_path / "two" / "weights.safetensors").write_bytes(b"1")
    fingerprint.cache_clear()
    assert fingerprint(tmp_path / "two") != one
