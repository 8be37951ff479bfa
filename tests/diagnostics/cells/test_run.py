import hashlib
import json
import math
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from diagnostics.cells.code import fingerprint
from diagnostics.cells.run import finish_cells
from diagnostics.cells.workers import Lost


class Here:
    """Does cells one after the other in this process; those in `lost` come back without a result."""

    def __init__(self, lost=()):
        self.lost = lost

    def do(self, work, cells):
        for key, cell in cells.items():
            yield key, Lost("it was bad luck") if key in self.lost else work(cell)


def run(work, store, cells, result_type=float, workers=None, **changes):
    return finish_cells(work, cells, store, result_type, workers=workers or Here(), **changes)


def line(key, result, code=None):
    text = json.dumps({"key": key, "code": code or fingerprint(), "result": result})
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}"


def test_a_line_of_which_a_bit_was_turned_is_done_again(tmp_path):
    store = tmp_path / "cells.jsonl"
    whole = line("nine", 3.0).encode()
    for place in range(len(whole)):
        store.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert run(lambda cell: -1.0, store, {"nine": 9.0}) == [-1.0]


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


def test_cells_that_are_lost_are_named_when_all_others_are_kept(tmp_path):
    store, cells = tmp_path / "cells.jsonl", {"four": 4.0, "nine": 9.0, "one": 1.0}
    with pytest.raises(ChildProcessError, match="four did not, and 1 more: it was bad luck"):
        run(math.sqrt, store, cells, workers=Here(["four", "one"]))
    # the same call tries them again, and them alone
    assert run(lambda cell: cell / 2, store, cells) == [2.0, 3.0, 0.5]


def test_what_stands_for_a_lost_cell_is_told_and_not_kept(tmp_path):
    store, told = tmp_path / "cells.jsonl", []
    replace = {"workers": Here(["four"]), "if_lost": lambda cell, why: -cell, "on_result": told.append}
    assert run(math.sqrt, store, {"four": 4.0, "nine": 9.0}, **replace) == [-4.0, 3.0]
    assert told == [3.0, -4.0]
    assert run(math.sqrt, store, {"four": 4.0}) == [2.0]
