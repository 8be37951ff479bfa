"""Sound things to damage: a small run, an archive of it, pairs, and JSON with one value exchanged."""

import io
import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from hypothesis import strategies as st

from attn.config import to_toml
from attn.files import save_pairs
from attn.models import HistoricConfig, build_model
from attn.processes import PairProcess
from attn.runs import save_weights
from attn.trainer import TrainConfig
from tests.reliability.hostile import NAMES

MODEL = HistoricConfig(width=4, num_heads=2, layer_dims=(4, 4, 4), num_rows=40)
PROCESS = PairProcess(num_points=5)
TRAINING = TrainConfig(num_context=2, num_epochs=1, steps_per_epoch=1, batch_size=2, num_test_pairs=4)
ODD = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    0.5,
    1e308,
    2**31,
    2**63,
    10**40,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [1, 2, 3],
    {"kind": "historic"},
    "historic",
    "random",
    *NAMES,
]


def make_run(directory: Path) -> None:
    """A run as a training of one step leaves it, its weights still as they were drawn."""
    directory.mkdir(parents=True)
    parts = {"model": asdict(MODEL), "training": asdict(TRAINING), "process": asdict(PROCESS)}
    spec = {
        "schema_version": 1,
        **parts,
        "data": None,
        "start_from": None,
        "seed": 0,
        "packages": {},
        "git_commit": None,
    }
    history = [{"step": 1.0, "seconds": 0.1, "train_loss": 1.5, "test_loss": 1.25, "test_mse": 0.5}]
    (directory / "spec.json").write_text(json.dumps(spec))
    (directory / "history.json").write_text(json.dumps(history))
    (directory / "config.toml").write_text(to_toml(parts))
    save_weights(build_model(MODEL, seed=0), directory / "weights.safetensors")


def make_archive(directory: Path) -> bytes:
    """The files of a run as `attn runs export` packs them."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for path in sorted(directory.iterdir()):
            archive.writestr(f"{directory.name}/{path.name}", path.read_bytes())
    return packed.getvalue()


def make_pairs(path: Path) -> bytes:
    """What `attn data` writes."""
    spec = {**asdict(PROCESS), "num_pairs": 6, "seed": 0}
    save_pairs(path, PROCESS.sample(6, np.random.default_rng(0)), spec)
    return path.read_bytes()


def _places(value: object, place: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, part in inner for found in _places(part, (*place, key)))]


@st.composite
def exchanged(draw, content: object) -> bytes:
    """JSON with one to three values exchanged, left out or added."""
    content = deepcopy(content)
    odd = st.sampled_from(ODD).map(deepcopy)  # a later exchange may happen within an earlier one
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(_places(content)[1:] or [(None,)]))
        parent = content
        for key in way:
            parent = parent[key]
        kind = draw(st.integers(0, 5))
        if last is None:
            return json.dumps(draw(odd)).encode()
        if kind == 0:
            del parent[last]
        elif kind == 1 and isinstance(parent, dict):
            parent[draw(st.sampled_from(NAMES))] = draw(odd)
        else:
            parent[last] = draw(odd)
    return json.dumps(content).encode()
