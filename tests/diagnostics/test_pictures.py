import io

from PIL import Image

from diagnostics.pictures import Picture


def test_a_notebook_shows_a_picture_as_png_of_its_height():
    picture = Picture("caption", "alt", draw=lambda ax: ax, height=2.0)
    image = Image.open(io.BytesIO(picture._repr_png_()))
    assert image.format == "PNG"
    assert image.size == (5.2 * 120, 2 * 120)


def test_what_is_drawn_is_not_written_out():
    assert repr(Picture("caption", "alt", draw=print)) == "Picture(caption='caption', alt='alt', height=3.3)"
