"""Faults that are injected where they happen: memory, workers, databases, the clock."""

import json
import os
import shutil
import time

import pytest
import sqlalchemy as sa
import torch
from studies import make_study

import app.study.assignment
from app.compare.question_files import _each_once
from app.compare.shelf import Shelf
from app.shared.events import Answered, Failed, Refused
from app.shared.stop_flag import StopFlag
from app.study.database import sqlite_file
from app.study.vote_store import VoteStore
from sinktrack.core.architecture import decoder_layers
from sinktrack.core.errors import PromptError, StoreError
from sinktrack.core.prompt import build_prompt


@pytest.mark.parametrize("step", [1, 2, 4], ids=["prefill", "first decode step", "later"])
@pytest.mark.parametrize(
    ("error", "words"),
    [(torch.OutOfMemoryError("secret"), "out of memory"), (RuntimeError("secret"), "try again")],
)
def test_a_layer_that_fails_is_a_sentence_and_the_next_answer_is_as_ever(
    engine, checkpoint, picture, error, words, step
):
    request = engine.request("Is there a red circle?", pictures=[picture], max_new_tokens=6)
    before = [e for e in engine.answer(request, StopFlag()) if isinstance(e, Answered)]
    calls = 0

    def fail(*_):
        nonlocal calls
        calls += 1
        if calls == step:
            raise error

    hook = decoder_layers(checkpoint[0])[-1].register_forward_pre_hook(fail)
    last = list(engine.answer(request, StopFlag()))[-1]
    hook.remove()
    assert isinstance(last, Failed | Refused) and words in last.sentence and calls == step
    assert "secret" not in str(last)
    after = [e for e in engine.answer(request, StopFlag()) if isinstance(e, Answered)]
    assert [texts(each) for each in after] == [texts(each) for each in before]


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


def texts(answered):
    return [lane["text"] for lane in json.loads(answered.payload)["lanes"]]


@pytest.mark.parametrize("words", ["database is locked", "no such table: votes", "disk I/O error"])
def test_a_database_that_fails_is_a_sentence_and_the_vote_can_be_sent_again(
    judging, ann, store, words
):
    judged = {side: {"severity": "none", "spans": []} for side in ("left", "right")}
    pair = {name: ann["pair"][name] for name in ("place", "seal")}
    vote = {"what": "vote", "token": ann["token"], "key": "a-key-of-its-own", "better": "tie"}
    vote |= pair | judged

    @sa.event.listens_for(store._engine, "begin")
    def broken(connection):
        raise sa.exc.OperationalError("secret", {}, Exception(words))

    said = judging.answer(vote)
    assert said.keys() == {"error"} and "secret" not in said["error"]
    sa.event.remove(store._engine, "begin", broken)
    assert judging.answer(vote)["kept"] is True
    assert len(store.standing()) == 1


def test_a_database_whose_file_is_not_there_takes_no_vote_until_it_is_back(tmp_path):
    file, aside, copy = (tmp_path / name for name in ("votes.sqlite", "aside", "copy"))
    lanes = ("baseline", "sinktrack")
    store = VoteStore(sqlite_file(file), study="s", lanes=lanes, items="abc", votes_per_item=1)
    ann = store.join("Ann")

    def cast(key):
        store.vote(key, store.next(ann).id, ann, better="tie", judged={})

    def refused():
        with pytest.raises(StoreError, match=r"moved, deleted or replaced\): nothing was kept"):
            cast("second")

    cast("first")
    shutil.copy(file, copy)
    before = copy.read_bytes()
    file.rename(aside)
    refused()
    store.close()  # as if a connection had been lost meanwhile
    refused()
    assert not file.exists()  # nor is an empty one begun
    copy.rename(file)
    refused()
    assert file.read_bytes() == before
    aside.rename(file)
    cast("second")
    assert [vote["key"] for vote in store.standing()] == ["first", "second"]
    store.close()


def test_what_was_kept_before_the_clock_was_set_back_goes_in_time(tmp_path):
    shelf = Shelf(tmp_path, seconds=60)
    name = shelf.keep('{"lanes": []}', {})
    (file,) = tmp_path.iterdir()
    os.utime(file, (time.time() + 86_400,) * 2)
    assert shelf.get(name) is not None  # as if it were kept just now
    assert file.stat().st_mtime <= time.time() + 1


def test_a_place_from_before_the_clock_was_set_back_is_not_held_for_as_long(make, monkeypatch):
    store = make(items="a", votes_per_item=1)
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 60)
    assert store.next(bob) is None
    day = app.study.assignment.HELD_SECONDS + 86_400
    monkeypatch.setattr(time, "time", lambda: now - day)
    assert store.next(bob) == place


def test_texts_of_many_contexts_are_refused_before_all_of_them_is_encoded(checkpoint, monkeypatch):
    model, processor = checkpoint
    read, tokenizer = [], processor.tokenizer
    encode = type(tokenizer).__call__

    def counted(self, text, **options):
        read.append(len(text))
        return encode(self, text, **options)

    monkeypatch.setattr(type(tokenizer), "__call__", counted)
    with pytest.raises(PromptError, match="more than 65536 tokens, .* context holds 32768"):
        build_prompt(model, processor, "Where?", passage="x" * 1_999_999)
    assert sum(read) < 200_000


def test_a_line_of_many_names_is_read_in_one_pass():
    pairs = [(str(number), 1) for number in range(200_000)]
    assert len(_each_once(pairs)) == 200_000  # by pairs of names this takes hours
    with pytest.raises(ValueError, match="'7' twice"):
        _each_once([*pairs, ("7", 2)])
