import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from diagnostics.plots import style
from diagnostics.plots.probes import draw_probes, probes_height
from diagnostics.plots.waterfall import draw_waterfall, waterfall_height
from diagnostics.result import Attribution, AttributionRow, Curve, Estimate


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


def around(value, width=0.1):
    return Estimate(value=value, low=value - width, high=value + width)


def row(name, role, error, where="first", **changes):
    given = dict(name=name, title=name, where=where, role=role, error=around(error), sentence="s.")
    return AttributionRow(**(given | changes))


def attribution(*rows):
    curve = Curve(name="free_running", at=[1.0], value=[0.0], low=[0.0], high=[0.0])
    return Attribution(num_pairs=3, later=(11, 12), training_order="t", rows=rows, free_running=curve)


PARTS = (
    row("oracle", "part", 0.5),
    row("training_order", "part", 1.5),
    row("history_order", "part", -0.75),
    row("total", "total", 1.25, drift=around(0.3)),
)
PROBES = (
    row("labels_flipped", "probe", 0.0, after=around(0.3), drift=around(0.0)),
    row("half_of_a", "probe", -0.2, after=around(0.1), drift=around(-0.2)),
)


def test_each_bar_begins_where_the_one_before_it_ended(ax):
    assert draw_waterfall(ax, attribution(*PARTS)) is ax
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(ends, [(0, 0.5), (0.5, 2.0), (2.0, 1.25), (0, 1.25)])
    intervals = [line.get_xdata() for line in ax.get_lines() if line.get_color() == style.BLACK]
    np.testing.assert_allclose(intervals, [(0.4, 0.6), (1.9, 2.1), (1.15, 1.35), (1.15, 1.35)])
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["at the first target", "+0.5", "+1.5", f"{style.MINUS}0.75", "1.25"]


def test_what_takes_error_away_differs_in_more_than_colour(ax):
    draw_waterfall(ax, attribution(*PARTS))
    looks = [(to_hex(bar.get_facecolor()), bar.get_hatch()) for bar in ax.patches]
    assert len(set(looks)) == 4
    assert [bool(hatch) for _, hatch in looks] == [False, False, True, False]


def test_later_targets_stand_below_the_first(ax):
    later = (row("oracle", "part", 0.5, "later"), row("total", "total", 0.5, "later"))
    both = attribution(*PARTS, *later, row("in_training", "beside", 9.0, "training"))
    draw_waterfall(ax, both)
    assert len(ax.patches) == 6
    assert "at the later targets (11, 12)" in [text.get_text() for text in ax.texts]
    assert [label.get_text() for label in ax.get_yticklabels()][-2:] == ["oracle", "total"]
    assert waterfall_height(both) > waterfall_height(attribution(*PARTS))
    places = [bar.get_y() for bar in ax.patches]
    assert places == sorted(places)


def test_probes_stand_below_what_is_without_them(ax):
    assert draw_probes(ax, attribution(*PARTS, *PROBES)) is ax
    dots = [line for line in ax.get_lines() if line.get_marker() in ("o", "D")]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots] == [(0.3, 0), (0.3, 1), (0.1, 2)]
    hollow = [line.get_markerfacecolor() == "white" for line in dots]
    assert hollow == [False, True, False]
    titles = [label.get_text() for label in ax.get_yticklabels()]
    assert titles == ["without any change", "labels_flipped", "half_of_a"]
    assert probes_height(attribution(*PARTS, *PROBES)) > probes_height(attribution(*PARTS))


def test_without_rows_the_pictures_say_why_they_are_empty(ax):
    draw_waterfall(ax, attribution())
    assert "No error" in ax.texts[0].get_text()
    other = draw_probes(Figure().add_subplot(), attribution(row("reloaded", "probe", 0.1)))
    assert "not defined" in other.texts[0].get_text()
