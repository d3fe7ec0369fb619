"""What is installed lies inside bounds that were tested, wherever it is installed from."""

import re
import runpy
from importlib.metadata import requires, version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from paths import ROOT

BOUNDS = runpy.run_path(str(ROOT / "scripts" / "bounds.py"))
UPPER = BOUNDS["read_constraints"]()
EVERYTHING = BOUNDS["installed"]("sinktrack[dev]")
FRONT_MATTER = yaml.safe_load((ROOT / "README.md").read_text("utf-8").split("---")[1])


def test_the_walk_over_what_is_installed_sees_indirect_packages():
    assert {"torch", "gradio", "pytest", "tokenizers", "starlette", "httpx"} <= EVERYTHING


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_every_package_has_an_upper_bound_that_admits_what_is_tested_here(name):
    """Else a release of tomorrow is installed untested; `make upgrade` writes the bounds."""
    assert name in UPPER, f"constraints.txt has no upper bound for {name}: run make upgrade"
    assert Version(version(name)) < UPPER[name]


def test_requirements_agree_with_pyproject_and_constraints():
    """A Space's builder sees requirements.txt alone, so both bounds stand in it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for each in listed:
        assert f"<{UPPER[each.name]}" in map(str, each.specifier), each
    asked = [Requirement(line) for line in requires("sinktrack")]
    page = [
        each for each in asked if each.marker is None or each.marker.evaluate({"extra": "demo"})
    ]
    found = {each.name: each for each in listed}
    for each in page:
        line = found[canonicalize_name(each.name)]
        lower = {str(part) for part in each.specifier if part.operator == ">="}
        assert lower <= set(map(str, line.specifier)) and each.extras == line.extras, line


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "README.md"])
def test_no_setup_leaves_the_bounds_out(name):
    """Each line that installs from an index names the constraints, or is about raising them."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if re.search(r"pip3? install", line)]
    lines = [
        line for line in lines if ".compat/upgrade" not in line and "--upgrade pip" not in line
    ]
    assert lines
    for line in lines:
        assert "--constraint constraints.txt" in line, line


def test_a_space_gets_the_gradio_that_was_tested():
    tested = Version(FRONT_MATTER["sdk_version"])
    assert Version("6.27") <= tested < UPPER["gradio"]
    assert Version(str(tested)).minor + 1 == UPPER["gradio"].minor


def test_the_head_of_the_readme_holds_what_spaces_know():
    """Source: huggingface.co/docs/hub/spaces-config-reference, as of 2026-08-22."""
    known = {
        *("title", "emoji", "colorFrom", "colorTo", "sdk", "python_version", "sdk_version"),
        *("suggested_hardware", "app_file", "app_build_command", "app_port", "base_path"),
        *("fullWidth", "header", "short_description", "models", "datasets", "tags", "thumbnail"),
        *("pinned", "hf_oauth", "hf_oauth_scopes", "hf_oauth_expiration_minutes"),
        *("hf_oauth_authorized_org", "disable_embedding", "startup_duration_timeout"),
        *("custom_headers", "preload_from_hub"),
        "license",  # of every repository's card: docs/hub/repositories-licenses
    }
    assert set(FRONT_MATTER) <= known
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {FRONT_MATTER["colorFrom"], FRONT_MATTER["colorTo"]} <= colours
    assert FRONT_MATTER["sdk"] in {"gradio", "docker", "static"}
    hardware = {
        *("cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "l4x4"),
        *("l40sx1", "l40sx4", "l40sx8", "a10g-small", "a10g-large", "a10g-largex2"),
        *("a10g-largex4", "a100-large", "a100x4", "a100x8"),
    }
    assert FRONT_MATTER["suggested_hardware"] in hardware
    assert re.fullmatch(r"\d+[mh]", FRONT_MATTER["startup_duration_timeout"])


def test_a_zerogpu_space_has_this_python_and_a_torch_that_is_admitted():
    """Source: huggingface.co/docs/hub/spaces-zerogpu, as of 2026-08-22."""
    assert FRONT_MATTER["python_version"] in {"3.12", "3.12.12", "3.10", "3.10.13"}
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    (torch,) = [each for each in lines if each.startswith("torch>")]
    for offered in ("2.8.0", "2.9.1", "2.10.0", "2.11.0"):
        assert Requirement(torch).specifier.contains(offered)


def test_what_the_page_shows_of_a_space_is_short_and_there():
    assert len(FRONT_MATTER["short_description"]) <= 60
    assert (ROOT / FRONT_MATTER["app_file"]).is_file()
