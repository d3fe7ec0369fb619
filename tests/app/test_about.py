"""What the pages say of what they keep is what they are set to keep."""

import subprocess
import sys

import pytest
from paths import ROOT
from studies import make_study

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


OFFERED = """
import sys
from app.shared.settings import Settings
if sys.argv[1] == "study":
    from app.study import page
    from app.shared.ending import Ending
    from sinktrack.study.folder import read_study
    study, settings = read_study(sys.argv[2]), Settings()
    page = page.open_study(study, page.open_votes(study, settings, Ending()), settings)
else:
    from app.results import page
    from app.results.browsing import Browsing
    page = page.build(Browsing(sys.argv[2]))
print(page.get_api_info(all_endpoints=True)["named_endpoints"])
"""


@pytest.mark.parametrize("page", ["study", "results"])
def test_other_pages_offer_programs_nothing(page, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    folder = make_study(tmp_path / "study").folder if page == "study" else tmp_path
    command = [sys.executable, "-c", OFFERED, page, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["{}"], done.stderr
