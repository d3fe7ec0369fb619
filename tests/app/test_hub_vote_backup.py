"""Votes survive the disk they were cast on, in a dataset; the hub is a folder here."""

import json
import shutil
import subprocess
import sys

import pytest
from hub import serve
from huggingface_hub import HfApi
from paths import ROOT
from studies import YAML, make_study

import app.study.assignment
from app.study.hub_vote_backup import HubVoteBackup
from sinktrack.core.errors import StoreError


def stop(store, backup):
    backup.close()
    store.close()


def forget(study):
    """Lose the disk."""
    for path in study.folder.glob("votes.sqlite*"):
        path.unlink()
    shutil.rmtree(study.folder / "ledger", ignore_errors=True)


def cast(store, annotator, key):
    place = store.next(annotator)
    store.vote(key, place.id, annotator, better="tie", judged={"baseline": {}}, seconds=1.5)
    return place


def test_votes_are_there_again_after_the_disk_was_lost(tmp_path, hub):
    study = make_study(tmp_path / "study", items=4)
    store, backup = serve(study, hub)
    ann, bob = store.join("Ann"), store.join("Bob")
    for n in range(3):
        cast(store, ann, f"ann{n}")
    undone = cast(store, bob, "bob0")
    store.undo(bob)
    store.vote("bob1", undone.id, bob, better="sinktrack", judged={}, comment="better so")
    cast(store, bob, "bob2")
    store.reveal(bob)
    before = store.standing()
    stop(store, backup)
    assert hub.made[0] == (
        "team/votes",
        {"private": True, "repo_type": "dataset", "exist_ok": True},
    )

    forget(study)
    store, backup = serve(study, hub)
    told = {"key", "item", "left", "name", "better", "judged", "comment", "seconds", "revealed"}
    seen = [{name: vote[name] for name in told} for vote in store.standing()]
    assert seen == [{name: vote[name] for name in told} for vote in before] and len(seen) == 5
    assert store.progress(store.join("Ann")).voted == 3
    assert store.progress(store.join("Bob")).undoable is False
    cast(store, store.join("Ann"), "ann3")
    stop(store, backup)

    store, backup = serve(study, hub)  # the same disk again: nothing comes twice
    assert len(store.standing()) == 6
    stop(store, backup)


def test_a_place_given_on_after_an_undo_keeps_its_vote(tmp_path, hub, monkeypatch):
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)
    study = make_study(tmp_path / "study", items=1)
    store, backup = serve(study, hub)
    ann, bob, carla = map(store.join, ("Ann", "Bob", "Carla"))
    place = cast(store, ann, "ann0")
    store.undo(ann)
    cast(store, bob, "bob0")
    assert cast(store, carla, "carla0").id == place.id  # Ann's, who had left it open
    stop(store, backup)
    forget(study)
    store, backup = serve(study, hub)
    assert {vote["key"] for vote in store.standing()} == {"bob0", "carla0"}
    stop(store, backup)


def test_two_servers_that_overlap_lose_nothing(tmp_path, hub):
    yaml = YAML + "votes_per_item: 1\n"
    (tmp_path / "anew").mkdir()
    study, anew = (
        make_study(folder / "study", items=1, yaml=yaml) for folder in (tmp_path, tmp_path / "anew")
    )
    store, backup = serve(study, hub)
    other, second = serve(anew, hub)  # as when a Space is built anew
    cast(store, store.join("Ann"), "ann0")
    cast(other, other.join("Bob"), "bob0")
    stop(store, backup)
    stop(other, second)
    forget(study)
    store, backup = serve(study, hub)
    assert {vote["key"] for vote in store.standing()} == {"ann0", "bob0"}
    assert store.next(store.join("Carla")) is None
    stop(store, backup)


def test_sides_are_turned_round_after_a_restart_as_well(tmp_path, hub):
    study = make_study(tmp_path / "study", items=20)
    store, backup = serve(study, hub)
    bob = store.join("Bob")
    for n in range(20):
        store.next(store.join(f"Ann {n}"))  # opens it and leaves
        cast(store, bob, f"bob{n}")
    stop(store, backup)
    forget(study)
    store, backup = serve(study, hub)
    carla = store.join("Carla")
    for n in range(20):
        cast(store, carla, f"carla{n}")
    lefts: dict[str, set[str]] = {}
    for vote in store.standing():
        lefts.setdefault(vote["item"], set()).add(vote["left"])
    assert all(len(sides) == 2 for sides in lefts.values()) and len(lefts) == 20
    stop(store, backup)


def test_each_change_is_a_line_of_its_own_and_none_is_rewritten(tmp_path, hub):
    study = make_study(tmp_path / "study")
    store, backup = serve(study, hub)
    ann = store.join("Ann")
    cast(store, ann, "first")
    (file,) = (study.folder / "ledger").glob("*.jsonl")
    before = file.read_bytes()
    store.undo(ann)
    assert file.read_bytes().startswith(before)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["key"], line["undone"] is None) for line in lines] == [
        ("first", True),
        ("first", False),
    ]
    assert lines[0]["name"] == "Ann" and lines[0]["seconds"] == 1.5
    stop(store, backup)


def test_a_hub_that_refuses_is_a_sentence(tmp_path, hub):
    def refused(*_, **__):
        raise OSError("403 Forbidden")

    hub.create_repo = refused
    with pytest.raises(StoreError, match=r"team/votes \(403 Forbidden\): check SINKTRACK_DATASET"):
        HubVoteBackup(tmp_path / "ledger", "team/votes", "study", hub=hub)


STOPPED = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
import app.study.hub_vote_backup
from app.shared.ending import Ending
from app.shared.settings import Settings
from app.study.page import open_votes
from hub import Hub
from sinktrack.study.folder import read_study

app.study.hub_vote_backup.HfApi = lambda: Hub(Path({hub!r}))
ending = Ending()
ending.when_terminated()
settings = Settings.read([], {{"SINKTRACK_DATASET": "team/votes"}})
store = open_votes(read_study({study!r}), settings, ending)
try:
    with ending.of(store.close):
        ann = store.join("Ann")
        store.vote("the last", store.next(ann).id, ann, better="tie", judged={{}})
        print("voted", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    pass
"""


def test_a_space_that_is_stopped_uploads_its_last_votes(tmp_path):
    study = make_study(tmp_path / "study")
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "app")]
    script = STOPPED.format(paths=paths, hub=str(tmp_path / "hub"), study=str(study.folder))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as space:
        assert space.stdout.readline() == b"voted\n"
        space.terminate()
        assert space.wait(timeout=60) == 0
    (file,) = (tmp_path / "hub" / "study").glob("*.jsonl")
    assert json.loads(file.read_text())["key"] == "the last"


def test_a_hub_that_cannot_be_reached_is_said_in_a_sentence(tmp_path):
    """With the client as it is installed: which errors it raises changed from httpx to httpx2."""
    nowhere = HfApi(endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"dataset team/votes \(.+\): check SINKTRACK_DATASET"):
        HubVoteBackup(tmp_path / "ledger", "team/votes", "study", hub=nowhere)
