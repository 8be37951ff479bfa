"""What a training leaves for TensorBoard, read back from a real server through its HTTP interface."""

import io
import json
import resource
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from PIL import Image
from tensorboard import program

from attn.board import Board, settings
from attn.models import HistoricConfig
from attn.processes import PairProcess
from attn.projection import project_layer, write_projection
from attn.runs import BOARD, RunError
from attn.train import TrainConfig, train

PROCESS = PairProcess(num_points=5)
SMALL = HistoricConfig(width=4, num_heads=2, layer_dims=(4, 4, 4), num_rows=40)
QUICK = TrainConfig(
    num_context=2, num_epochs=2, steps_per_epoch=3, batch_size=4, warmup_steps=2, num_test_pairs=8
)
STEPS = [3, 6]
RUN = f"mine/{BOARD}"


@contextmanager
def largest_file(num_bytes):
    """The system refuses to let a file grow beyond that."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def served(logdir):
    """A TensorBoard on a free port of this machine; gives a function that reads one of its pages."""
    servers = []

    def serve(application, flags):
        servers.append(program.WerkzeugServer(application, flags))
        return servers[0]

    board = program.TensorBoard(server_class=serve)
    options = ["--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    options += ["--reload_task", "blocking", "--reload_interval", "0"]  # all is read before it serves
    board.configure(["tensorboard", "--logdir", str(logdir), *options])
    url = board.launch()

    def read(page, body=None, **query):
        address = f"{url}data/plugin/{page}?{urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    try:
        yield read
    finally:
        servers[0].shutdown()
        servers[0].server_close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with three projected layers, one of them projected twice."""
    trained = train(tmp_path_factory.mktemp("runs") / "mine", SMALL, QUICK, PROCESS, pictures=True)
    for layer in ("table", "to_query", "norm", "to_query"):
        write_projection(trained.directory / BOARD, project_layer(trained.model, layer))
    return trained


@pytest.fixture(scope="module")
def page(run):
    with served(run.directory.parent) as read:
        yield read


def test_every_figure_of_every_epoch_is_a_scalar(page, run):
    names = run.history[0].keys() - {"step"}
    assert json.loads(page("scalars/tags"))[RUN].keys() == names
    for name in names:
        points = json.loads(page("scalars/scalars", run=RUN, tag=name))
        assert [step for _, step, _ in points] == STEPS
        # scalars are kept as float32
        np.testing.assert_allclose([value for *_, value in points], [e[name] for e in run.history], rtol=1e-6)


def test_every_weight_has_its_histogram(page, run):
    weights = {weight.path: weight.numpy() for weight in run.model.trainable_variables}
    assert json.loads(page("histograms/tags"))[RUN].keys() == weights.keys()
    for path, weight in weights.items():
        points = json.loads(page("histograms/histograms", run=RUN, tag=path))
        assert [step for _, step, _ in points] == STEPS
        left, right, count = np.array(points[-1][2]).T
        assert count.sum() == weight.size
        # the run ended with the last epoch; edges are computed in float64 from float32
        assert left[count > 0].min() == pytest.approx(weight.min(), rel=1e-6, abs=1e-6)
        assert right[count > 0].max() == pytest.approx(weight.max(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["inference", "boundary_attention"])
def test_every_epoch_has_its_pictures(page, name):
    listed = json.loads(page("images/images", run=RUN, tag=name, sample=0))
    assert [image["step"] for image in listed] == STEPS
    files = [page("images/individualImage", **dict(parse_qsl(image["query"]))) for image in listed]
    pictures = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    for picture in pictures:
        assert picture.shape == (550, 1000, 3)
        assert (picture == 255).mean() < 0.99  # something is drawn
    assert (pictures[0] != pictures[1]).any()


def test_the_hyper_parameters_of_a_run_are_listed_with_its_figures(page, run):
    everything = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_RUNNING"],
        "sliceSize": 9,
    }
    groups = json.loads(page("hparams/session_groups", body=everything))["sessionGroups"]
    assert [group["name"] for group in groups] == ["mine"]
    wanted = {f"model.{field}": value for field, value in asdict(SMALL).items()}
    wanted |= {f"training.{field}": value for field, value in asdict(QUICK).items()}
    wanted |= {f"process.{field}": value for field, value in asdict(PROCESS).items()}
    wanted["model.layer_dims"] = "4,4,4"
    assert groups[0]["hparams"] == wanted
    figures = {metric["name"]["tag"]: metric["value"] for metric in groups[0]["metricValues"]}
    assert figures["test_loss"] == pytest.approx(run.history[-1]["test_loss"], rel=1e-6)


def test_settings_of_a_run_without_a_process_are_those_it_has():
    spec = {"model": {"width": 4}, "training": {"overfit": False}, "process": None, "seed": 3}
    assert settings(spec) == {"model.width": 4, "training.overfit": False}


def test_the_projector_lists_every_layer_once(page):
    assert json.loads(page("projector/runs")) == [RUN]
    listed = json.loads(page("projector/info", run=RUN))["embeddings"]
    assert [(e["tensorName"], e["tensorShape"]) for e in listed] == [
        ("norm", [4, 2]),
        ("table", [40, 4]),
        ("to_query", [4, 4]),
    ]


@pytest.mark.parametrize("layer", ["table", "to_query", "norm"])
def test_the_projector_shows_the_weights_and_a_line_for_each_row(page, run, layer):
    by_name = {weight.path: weight.numpy() for weight in run.model.trainable_variables}
    weights = {
        "table": by_name["historic/table/embeddings"],
        "to_query": by_name["historic/to_query/kernel"].T,
        "norm": np.stack([by_name["historic/norm/gamma"], by_name["historic/norm/beta"]], axis=1),
    }
    shown = np.frombuffer(page("projector/tensor", run=RUN, name=layer), np.float32)
    np.testing.assert_array_equal(shown.reshape(weights[layer].shape), weights[layer])
    rows = page("projector/metadata", run=RUN, name=layer).decode().splitlines()
    assert len(rows) == 1 + len(weights[layer])


def test_the_rows_of_the_table_are_labels_and_bins(page):
    rows = page("projector/metadata", run=RUN, name="table").decode().splitlines()
    assert rows[:5] == ["name\tlabel\tx", "label 0\t0\t", "label 1\t1\t", "x 0.05\t\t0.05", "x 0.15\t\t0.15"]
    assert rows[-1] == "x 3.75\t\t3.75"


@pytest.mark.parametrize("when", ["begun", "an epoch"])
def test_a_disk_that_refuses_is_one_sentence(when, tmp_path):
    spec = {"model": {}, "training": {}, "process": None}
    if when == "begun":
        (tmp_path / BOARD).write_text("a file where the folder should be")
        with pytest.raises(RunError, match=r"tensorboard could not be written: [\w ]+$"):
            Board(tmp_path, spec, None)
        return
    board = Board(tmp_path, spec, None)
    without_weights = SimpleNamespace(trainable_variables=[])

    def write_until_it_is_full():
        for step in range(100):
            board.write_epoch(without_weights, {"step": step, "loss": 0.5})

    with (
        largest_file(2000),
        pytest.raises(RunError, match=r"tensorboard could not be written: File too large$"),
    ):
        write_until_it_is_full()
