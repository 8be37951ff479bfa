import json
import math
import os
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from diagnostics.cells import fingerprint, run_in_processes


def run(work, store, cells, result_type=float, **changes):
    return run_in_processes(work, cells, store, result_type, num_workers=1, **changes)


def line(key, result, code=None):
    return json.dumps({"key": key, "code": code or fingerprint(), "result": result})


def test_only_what_this_code_has_not_stored_is_done(tmp_path):
    store, told = tmp_path / "cells.jsonl", []
    store.write_text("\n".join([line("nine", 3.0), line("four", 7.0, code="other"), line("four", 8.0)[:-4]]))
    # of four there are a line of other code, and one that was cut short
    assert run(math.sqrt, store, {"four": 4.0, "nine": 0.0}, on_result=told.append) == [2.0, 3.0]
    assert told == [3.0, 2.0]
    # the line after the one that was cut short is whole: nothing is left to do
    assert run(None, store, {"nine": 0.0, "four": 0.0}) == [3.0, 2.0]
    assert run(None, store, {}) == []


@dataclass(frozen=True)
class Inner:
    key: str


@dataclass(frozen=True)
class Outer:
    inner: Inner
    by_number: dict[int, list[float]]


def test_results_of_nested_numbers_come_back_as_they_were(tmp_path):
    outer = Outer(Inner("a"), {32: [0.1, math.inf, math.nan]})
    (tmp_path / "store").write_text(line("a", TypeAdapter(Outer).dump_python(outer, mode="json")))
    (found,) = run(None, tmp_path / "store", {"a": 0.0}, Outer)
    assert found.inner == outer.inner
    assert found.by_number[32][:2] == [0.1, math.inf]
    assert math.isnan(found.by_number[32][2])


def test_a_process_that_is_ended_is_said_in_a_sentence(tmp_path):
    with pytest.raises(ChildProcessError, match="one was ended from outside"):
        run(os._exit, tmp_path / "store", {"a": 3})


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
