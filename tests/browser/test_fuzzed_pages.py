"""A part of the requests of `benchmarks/fuzz.py`: none breaks a page."""

from pathlib import Path
from typing import Any

import pytest
from strange_pages import PAGES
from strange_requests import Stranger


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_request_breaks_a_page(page: Any, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    server = page.serve(tmp_path / "page")
    try:
        url = server.ready()
        found = Stranger(url, page.said(url), seed=1).send(250)
        assert found.wrong == []
        assert found.statuses[400] and found.statuses[200], found.statuses
        assert page.works(url)
    finally:
        said = server.stop()
    assert "Traceback" not in said
    assert "evil.example" not in said and "passwd" not in said
