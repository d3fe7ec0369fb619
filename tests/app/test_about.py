"""What the pages say of what they keep is what they are set to keep."""

import pytest
from studies import CODE, make_study, open_store

from app.compare import about
from app.results import page as results_page
from app.results.browsing import Browsing
from app.shared.kept import SECONDS
from app.shared.settings import Settings
from app.shared.ui import FILE_AGE
from app.study import about as study_about
from app.study import page as study_page
from app.study.judging import Judging
from app.study.results_page import ResultsPage


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


def test_a_study_and_a_page_of_results_offer_programs_nothing(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    pages = [
        study_page.build(Judging(study, store, CODE), ResultsPage(study, store, CODE), Settings()),
        results_page.build(Browsing(tmp_path / "run")),
    ]
    store.close()
    for page in pages:
        assert page.get_api_info(all_endpoints=True)["named_endpoints"] == {}
