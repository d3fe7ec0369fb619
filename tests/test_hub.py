"""Loading from a hub: revisions, tokens, progress, and the cache where it cannot be reached."""

import json
import os
import subprocess
import sys
import time

import pytest
import transformers
from paths import CHECKPOINT
from small_hub import BRANCH, REPOSITORY, TOKEN, small_hub

import sinktrack
from sinktrack.core.checkpoint import find_checkpoint
from sinktrack.core.errors import ModelError
from sinktrack.core.hub import hub_hint

LOAD = """
import json, os, sys
import sinktrack
from sinktrack.core.errors import ModelError
for name, token in json.load(sys.stdin):
    os.environ["HF_TOKEN"] = token
    said = []
    try:
        sinktrack.load(name, device="cpu", say=said.append)
        print(json.dumps(said))
    except ModelError as error:
        print(json.dumps(str(error)))
"""
NAME = f"{REPOSITORY}@{BRANCH}"


def loaded(asked, home, address, **environment):
    """Load names with tokens in a process whose hub is at an address.

    Returns what was said while each was loaded, or its error.
    """
    own = {"HF_ENDPOINT": address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    process = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "0", **own, **environment},
    )
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_a_private_repository_at_a_branch_and_then_its_cache_alone(tmp_path):
    asked = [(NAME, "wrong"), (f"{REPOSITORY}@gone", TOKEN), (NAME, TOKEN), (NAME, TOKEN)]
    with small_hub(CHECKPOINT) as address:
        private, gone, first, again = loaded(asked, tmp_path, address)
    assert "is private: check the name, or log in with `hf auth login` or HF_TOKEN" in private
    assert "there is no such branch, tag or commit: check what stands behind the @" in gone
    megabytes = (CHECKPOINT / "model.safetensors").stat().st_size / 1e6
    assert f"downloading, {megabytes:.1f} of {megabytes:.1f} MB" in first
    assert first[-1].startswith("loading weights, ")
    assert again and not any("downloading" in each for each in again)

    # The hub has gone; its cache is what there is.
    asked = [(NAME, TOKEN), ("somebody/else", TOKEN)]
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        began = time.monotonic()
        cached, absent = loaded(asked, tmp_path, address, **environment)
        assert cached[-1] == first[-1]
        assert "is not in the hub's cache, and the hub cannot be reached" in absent
        assert time.monotonic() - began < 60  # not minutes of trying again for every file


def test_what_to_do_is_said_where_the_hub_says_no(tmp_path):
    gated = OSError("401 Client Error: this repository is gated")
    assert "log in with `hf auth login` or set HF_TOKEN" in hub_hint(gated)
    read_only = PermissionError(13, "Permission denied", "/cache")
    assert "set HF_HOME to a folder that can be" in hub_hint(read_only)
    assert "check the name and the connection" in hub_hint(OSError("no route"))
    with pytest.raises(ModelError, match="name a branch, tag or commit"):
        find_checkpoint("Qwen/Qwen2.5-0.5B@")


def test_weights_are_told_of_while_they_are_read(capfd):
    transformers.utils.logging.enable_progress_bar()  # a command line has none
    said = []
    sinktrack.load(CHECKPOINT, device="cpu", say=said.append)
    count = len(set(said))
    assert count >= 2 and said[-1] == said[-1].replace(" 0 of", "")
    assert "%" not in capfd.readouterr().err
    sinktrack.load(CHECKPOINT, device="cpu")
    assert len(set(said)) == count and "100%" in capfd.readouterr().err
