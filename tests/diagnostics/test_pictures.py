import io

from PIL import Image

from diagnostics.pictures import Picture
from diagnostics.plots.style import DOTS_PER_INCH


def test_a_notebook_shows_a_picture_as_png_of_its_height():
    picture = Picture("caption", "alt", draw=lambda ax: ax, height=2.0)
    png, metadata = picture._repr_png_()
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert image.height == 2 * DOTS_PER_INCH
    assert metadata["width"] < image.width


def test_what_is_drawn_is_not_written_out():
    assert repr(Picture("caption", "alt", draw=print)) == "Picture(caption='caption', alt='alt', height=3.3)"
