"""Known holes in packages are found where the database is, and no network is no failure."""

import json
import runpy
import sys

from paths import ROOT

AUDIT = runpy.run_path(str(ROOT / "scripts" / "audit.py"))
HERE = (ROOT / "README.md").as_uri()  # an address that can be reached anywhere

PIP_AUDIT = """
import json, pathlib, sys
found, status = json.loads(sys.argv[1])
if found is None:
    sys.exit("a long story\\nconnection refused")
pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text(json.dumps(found))
sys.exit(status)
"""


def audit(found, status, **options):
    said = json.dumps([found, status])
    return AUDIT["audit"]([sys.executable, "-c", PIP_AUDIT, said], **options)


def package(name, *holes):
    return {"name": name, "version": "1.0", "vulns": list(holes)}


def test_a_known_hole_fails_and_says_what_mends_it(capsys):
    hole = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}
    skipped = {"name": "c", "skip_reason": "not on the index"}
    found = {"dependencies": [package("a"), package("b", hole), skipped]}
    assert audit(found, 1, database=HERE) == 1
    assert capsys.readouterr().out == "b 1.0: PYSEC-1, fixed in 1.1\n"


def test_no_hole_is_one_line(capsys):
    assert audit({"dependencies": [package("a")]}, 0, database=HERE) == 0
    assert capsys.readouterr().out == "pip-audit: no known hole in 1 packages.\n"


def test_without_a_database_one_line_says_that_it_was_left_out(capsys):
    assert audit({"dependencies": []}, 0, database="http://127.0.0.1:9/") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "left out" in line and "refused" in line


def test_a_network_that_ends_halfway_is_no_failure(capsys):
    assert audit(None, 1, database=HERE) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "left out" in line and "connection refused" in line
