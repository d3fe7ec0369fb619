"""Pictures small enough to travel with a page's data."""

import base64
import io

from PIL import Image


def data_url(picture: Image.Image, side: int) -> str:
    """Return a picture as a small data URL, PNG.

    Args:
        picture: RGB.
        side: Pixels that the longer side has at most, twice what is shown.
    """
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
