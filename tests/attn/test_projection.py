import numpy as np
import pandas as pd
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from attn.models import HistoricConfig, PairTransformerConfig, build_model
from attn.projection import Projection, project_layer, write_projection
from attn.rollout import attention, teacher_force
from attn.types import Batch

HISTORIC = build_model(HistoricConfig(width=6, num_heads=2, layer_dims=(4, 5, 3), num_rows=30), seed=0)
TRANSFORMER = build_model(PairTransformerConfig(width=6, num_layers=2, num_heads=2, hidden_dim=8), seed=0)


def weight(model, path):
    return next(w.numpy() for w in model.trainable_variables if w.path == path)


@pytest.mark.parametrize("binned_x", [True, False])
def test_a_row_of_the_table_is_what_the_model_reads_at_its_x(binned_x):
    model = build_model(HistoricConfig(width=6, num_rows=30, binned_x=binned_x), seed=0)
    rows = project_layer(model, "table").rows
    of_bins = np.flatnonzero(rows.x.notna())
    # a pair for every row but the first: one context point at the x of the first, one target at its own x
    x = np.stack([np.full(27, rows.x[of_bins[0]]), rows.x[of_bins[1:]]], axis=1)
    series = np.zeros(x.shape, int)
    batch = Batch(x, series, np.ones(x.shape), np.ones(x.shape, bool), np.ones(27, int))
    before = teacher_force(model, batch).mean[:, 1]
    for row in of_bins[[1, 13, -1]]:
        model.table.embeddings.assign_add(np.eye(30, dtype=np.float32)[:, [row]] * np.ones(6, np.float32))
        after = teacher_force(model, batch).mean[:, 1]
        # between rows, what a target at its row gets of the next is the rounding of x / bin_width, below 1e-5
        assert of_bins[1:][np.abs(after - before) > 1e-3].tolist() == [row]
        before = after


def test_the_first_rows_of_the_table_are_the_labels():
    """A label is what the model reads of a point whose series it is."""
    model = build_model(HistoricConfig(width=6, num_rows=30), seed=0)
    rows = project_layer(model, "table").rows
    assert rows["name"][:2].tolist() == ["label 0", "label 1"]
    assert rows["label"][:3].tolist() == ["0", "1", ""]
    x = np.array([[0.05, 0.55], [0.05, 0.55]])
    batch = Batch(x, np.array([[0, 0], [1, 1]]), x, np.ones(x.shape, bool), np.array([1, 1]))
    before = teacher_force(model, batch).mean[:, 1]
    model.table.embeddings.assign_add(np.eye(30, dtype=np.float32)[:, [1]] * np.ones(6, np.float32))
    assert (teacher_force(model, batch).mean[:, 1] != before).tolist() == [False, True]


@pytest.mark.parametrize("layer", ["block_1_to_query", "block_1_to_key", "block_1_to_value"])
def test_a_unit_of_a_head_is_shown_with_the_weights_that_lead_to_it(layer):
    projection = project_layer(TRANSFORMER, layer)
    np.testing.assert_array_equal(
        projection.vectors, weight(TRANSFORMER, f"pair_transformer/{layer}/kernel").T
    )
    assert projection.rows["head"].tolist() == [0, 0, 0, 1, 1, 1]
    assert projection.rows["unit"].tolist() == [0, 1, 2, 0, 1, 2]


def test_heads_are_cut_as_attention_cuts_them():
    """A head whose queries are 0 looks at all points alike."""
    model = build_model(HistoricConfig(width=6, num_heads=2, num_rows=30, relu_scores=False), seed=0)
    is_first = project_layer(model, "to_query").rows["head"].to_numpy() == 0
    model.to_query.kernel.assign(np.where(is_first, 0, model.to_query.kernel.numpy()))
    x = np.array([[0.05, 0.55, 1.05, 1.55]])
    batch = Batch(x, np.zeros(x.shape, int), x, np.ones(x.shape, bool), np.array([3]))
    first, second = attention(model, batch).weights[0, 0, :, 3]
    np.testing.assert_allclose(first, [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)
    assert np.ptp(second[:3]) > 1e-3


def test_what_leads_out_of_the_heads_is_shown_by_head():
    projection = project_layer(HISTORIC, "from_heads")
    np.testing.assert_array_equal(projection.vectors, weight(HISTORIC, "historic/from_heads/kernel"))
    assert projection.rows["head"].tolist() == [0, 0, 0, 1, 1, 1]


def test_biases_of_relations_belong_to_heads_of_layers():
    projection = project_layer(TRANSFORMER, "relation")
    np.testing.assert_array_equal(
        projection.vectors, weight(TRANSFORMER, "pair_transformer/relation/kernel").T
    )
    assert projection.rows["name"].tolist() == [
        "layer 0, head 0",
        "layer 0, head 1",
        "layer 1, head 0",
        "layer 1, head 1",
    ]


def test_other_layers_are_shown_unit_by_unit():
    projection = project_layer(HISTORIC, "second")
    np.testing.assert_array_equal(projection.vectors, weight(HISTORIC, "historic/second/kernel").T)
    assert projection.rows["name"].tolist() == [f"unit {i}" for i in range(5)]
    assert project_layer(HISTORIC, "head").rows["name"].tolist() == ["mean", "scale"]


@pytest.mark.parametrize("model", [HISTORIC, TRANSFORMER], ids=lambda model: model.name)
def test_every_weight_belongs_to_a_layer_that_can_be_shown(model):
    layers = {"/".join(w.path.split("/")[1:-1]) for w in model.trainable_variables}
    for layer in layers:
        projection = project_layer(model, layer)
        assert projection.layer == layer
        assert projection.vectors.dtype == np.float32
        assert projection.rows["name"].is_unique


def test_a_layer_that_does_not_exist_is_answered_by_those_that_do():
    with pytest.raises(ValueError, match=r"^layer must be one of table, to_query, .*, head; got 'tabel'$"):
        project_layer(HISTORIC, "tabel")


def test_every_vector_needs_its_row():
    with pytest.raises(ValueError, match="every vector needs its row; got 3 and 2"):
        Projection("layer", np.zeros((3, 2), np.float32), pd.DataFrame({"name": ["a", "b"]}))


def test_layers_are_listed_by_name_however_often_and_whatever_the_list_was(tmp_path):
    config = tmp_path / "projector_config.pbtxt"
    config.write_text("embeddings {")
    for layer in ("table", "norm", "table"):
        write_projection(tmp_path, project_layer(HISTORIC, layer))
    listed = text_format.Parse(config.read_text(), ProjectorConfig()).embeddings
    assert [(e.tensor_name, e.tensor_path, e.metadata_path) for e in listed] == [
        ("norm", "projector/norm.vectors.tsv", "projector/norm.rows.tsv"),
        ("table", "projector/table.vectors.tsv", "projector/table.rows.tsv"),
    ]
