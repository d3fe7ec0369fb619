"""What the pages say of what they keep is what they are set to keep."""

import pytest

from app.compare import about
from app.shared.kept import SECONDS
from app.shared.settings import Settings
from app.shared.ui import FILE_AGE
from app.study import about as study_about


def said(kept):
    return "\n".join(f"{what}: {how}" for what, how in kept)


def test_the_page_says_of_a_gallery_and_of_links_what_is_so():
    plain = said(about.what_is_kept(Settings()))
    assert "gallery" not in plain and "links work" in plain
    assert plain.count(f"{FILE_AGE // 3600} hours") == 2 and f"{SECONDS // 60} minutes" in plain
    shared = said(about.what_is_kept(Settings(gallery="g")))
    assert "gallery: On this server until its owner deletes it" in shared


def test_a_private_page_says_that_nothing_stays():
    private = said(about.what_is_kept(Settings(private=True)))
    assert "until you close the tab" in private and "Not kept" in private
    assert "One line a question" not in private


@pytest.mark.parametrize("dataset", [None, "someone/votes"])
def test_a_study_says_where_votes_go(dataset):
    study = said(study_about.what_is_kept(Settings(study="s", dataset=dataset)))
    assert "until its owner deletes them" in study
    assert ("Hugging Face" in study) is (dataset is not None)
