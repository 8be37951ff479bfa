"""A layer as TensorBoard's projector shows it: one vector a row, and what each row stands for.

    projector_config.pbtxt        lists the layers that were written
    projector/LAYER.vectors.tsv   the vectors
    projector/LAYER.rows.tsv      what each of them stands for, in the same order, under a line of headings

A row is a row of a table, or a unit with the weights that lead to it; where a layer gathers the heads of
attention, a row is a unit of a head with the weights that lead on.  Biases are left out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from google.protobuf import text_format
from tensorboard.plugins.projector import EmbeddingInfo, ProjectorConfig
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME

from attn.files import write_whole
from attn.models import HistoricConfig, ModelConfig, PairModel
from attn.models.historic import NUM_LABELS
from attn.runs import weights_of
from attn.types import Floats

_TO_HEADS = ("to_query", "to_key", "to_value")
_FROM_HEADS = "from_heads"
_VECTORS, _ROWS = ".vectors.tsv", ".rows.tsv"


@dataclass(frozen=True, eq=False)
class Projection:
    """A layer: vectors [N,D] float32, and N rows that say what each vector stands for."""

    layer: str
    vectors: Floats
    rows: pd.DataFrame

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.vectors):
            raise ValueError(f"every vector needs its row; got {len(self.vectors)} and {len(self.rows)}")


def project_layer(model: PairModel, layer: str) -> Projection:
    """The projection of a layer; raises ValueError naming the layers of the model if it has no such one."""
    layers = _layers(model)
    if layer not in layers:
        raise ValueError(f"layer must be one of {', '.join(layers)}; got {layer!r}")
    weights = layers[layer]
    if "embeddings" in weights:
        vectors = weights["embeddings"]
    elif "kernel" in weights:
        vectors = weights["kernel"] if layer.endswith(_FROM_HEADS) else weights["kernel"].T
    else:  # a normalisation: what each unit is multiplied by, and what is added
        vectors = np.stack(list(weights.values()), axis=1)
    return Projection(layer, vectors, _rows(model.config, layer, len(vectors)))


def write_projection(folder: Path, projection: Projection) -> Path:
    """Write a layer into a folder of TensorBoard, beside those that are there; returns the file of vectors.

    Raises OSError if the disk refuses.
    """
    vectors = folder / "projector" / f"{projection.layer}{_VECTORS}"
    vectors.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(vectors) as file:
        np.savetxt(file, projection.vectors, fmt="%.9g", delimiter="\t")  # 9 digits tell all float32 apart
    with write_whole(_rows_beside(vectors)) as file:
        file.write(projection.rows.to_csv(sep="\t", index=False).encode())
    with write_whole(folder / PROJECTOR_FILENAME) as file:
        file.write(text_format.MessageToString(_config(folder)).encode())
    return vectors


def _config(folder: Path) -> ProjectorConfig:
    """All the layers that a folder holds, by name."""
    written = sorted((folder / "projector").rglob(f"*{_VECTORS}"))
    return ProjectorConfig(
        embeddings=[
            EmbeddingInfo(
                tensor_name=vectors.relative_to(folder / "projector").as_posix().removesuffix(_VECTORS),
                tensor_path=vectors.relative_to(folder).as_posix(),
                metadata_path=_rows_beside(vectors).relative_to(folder).as_posix(),
            )
            for vectors in written
        ]
    )


def _rows_beside(vectors: Path) -> Path:
    return vectors.with_name(vectors.name.removesuffix(_VECTORS) + _ROWS)


def _layers(model: PairModel) -> dict[str, dict[str, Floats]]:
    """The weights of every layer that has any, by their name within it, in the order of the model."""
    layers: dict[str, dict[str, Floats]] = {}
    for path, array in weights_of(model).items():
        _, *layer, name = path.split("/")  # the first part is the name of the model
        layers.setdefault("/".join(layer), {})[name] = array
    return layers


def _rows(config: ModelConfig, layer: str, num_rows: int) -> pd.DataFrame:
    """What the rows of a layer stand for; the first column is a name for the eye."""
    number = np.arange(num_rows)
    if layer == "table" and isinstance(config, HistoricConfig):
        return _rows_of_table(config)
    if layer == "relation":
        return _named(layer=number // config.num_heads, head=number % config.num_heads)
    if layer.endswith((*_TO_HEADS, _FROM_HEADS)):
        dim = num_rows // config.num_heads
        return _named(head=number // dim, unit=number % dim)
    if layer == "head":
        return pd.DataFrame({"name": ["mean", "scale"], "unit": number})
    return _named(unit=number)


def _rows_of_table(config: HistoricConfig) -> pd.DataFrame:
    """The labels, then the bins of x; a column is empty where it does not apply."""
    labels, bins = range(NUM_LABELS), range(NUM_LABELS, config.num_rows)
    x = [float(f"{config.x_of_row(row):.9g}") for row in bins]
    return pd.DataFrame(
        {
            "name": [*(f"label {label}" for label in labels), *(f"x {value:.6g}" for value in x)],
            "label": [*map(str, labels), *("" for _ in bins)],
            "x": [*(np.nan for _ in labels), *x],
        }
    )


def _named(**columns: np.ndarray) -> pd.DataFrame:
    """The columns, after one that puts them into words: `head 1, unit 3`."""
    numbers = zip(*(column.tolist() for column in columns.values()), strict=True)
    names = [", ".join(f"{name} {i}" for name, i in zip(columns, row, strict=True)) for row in numbers]
    return pd.DataFrame({"name": names, **columns})
