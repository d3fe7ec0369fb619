"""What visitors have on a private page goes with them, and nothing else does."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from awaiting import awaited

from app.shared.visits import Heartbeats, Visits, until_gone, when_gone


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def write(folder, name):
    path = folder / name / "file.png"
    path.parent.mkdir(parents=True)
    path.write_text(name)
    return str(path)


def test_files_go_with_the_last_tab(folder):
    visits, file = Visits(), write(folder, "a")
    visits.arrive("ann")
    visits.arrive("ann")
    visits.remember("ann", files=[file])
    visits.part("ann")
    assert Path(file).is_file()
    visits.part("ann")
    assert list(folder.iterdir()) == []


def test_a_file_that_two_have_goes_with_the_second(folder):
    visits, file = Visits(), write(folder, "a")
    for name in ("ann", "ben"):
        visits.arrive(name)
        visits.remember(name, files=[file])
    visits.part("ann")
    assert Path(file).is_file()
    with visits.call([file]):
        visits.part("ben")
        assert Path(file).is_file()
    assert not Path(file).exists()


def test_nothing_outside_the_uploads_is_deleted(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    visits = Visits()
    forged = [str(secret), str(folder / ".." / "secret"), "", "\0", str(folder)]
    with visits.call(forged):
        pass
    assert secret.is_file() and folder.is_dir()


def page_of(event):
    """Return a page whose only event does something, and what runs it for a visitor."""

    async def process(**_):
        return {"data": event()}

    holder = SimpleNamespace(session_data={"ann": "her conversation"})
    page = SimpleNamespace(process_api=process, state_holder=holder)

    def run(visit, inputs=(), visibility="private"):
        endpoint = SimpleNamespace(api_visibility=visibility)
        given = {"block_fn": endpoint, "inputs": list(inputs), "session_hash": visit}
        return awaited(page.process_api(**given))

    return page, run


def test_what_an_event_gets_gives_and_makes_is_the_visitors(folder):
    own = write(folder, "own")
    given, made, shown = (write(folder.parent / "later", name) for name in ("g", "m", "s"))
    done = []

    def event():
        until_gone(made)
        when_gone(lambda: done.append("forgotten"))
        return [{"value": {"path": shown, "url": None}}]

    page, run = page_of(event)
    visits = Visits()
    visits.watch(page)
    (folder.parent / "later").rename(folder / "later")
    given, made, shown = (
        each.replace("/later/", "/uploads/later/") for each in (given, made, shown)
    )
    visits.arrive("ann")
    run("ann", [[{"path": given, "url": None}], {"path": own, "url": None}])
    assert done == []
    visits.part("ann")
    assert done == ["forgotten"] and page.state_holder.session_data == {}
    left = [str(path) for path in folder.rglob("*") if path.is_file()]
    assert left == [own]


def test_what_a_program_calls_is_no_visit(folder):
    done = []
    page, run = page_of(lambda: when_gone(lambda: done.append("x")))
    visits = Visits()
    visits.watch(page)
    visits.arrive("ann")
    run("ann", visibility="public")
    visits.part("ann")
    assert done == []


def test_uploads_that_nobody_brought_are_swept_and_no_others(folder):
    own = write(folder, "own")
    page, run = page_of(lambda: None)
    visits = Visits(patience=-1)
    nobody = Visits(patience=1000)
    visits.watch(page)
    nobody.watch(page)
    hers, lost = write(folder, "hers"), write(folder, "lost")
    visits.arrive("ann")
    visits.remember("ann", files=[hers])
    nobody.sweep()  # too young
    assert Path(lost).is_file()
    visits.sweep()
    assert not Path(lost).exists() and Path(hers).is_file() and Path(own).is_file()
    visits.remember("ben", files=[write(folder, "late")])  # whose tab has closed before
    visits.sweep()
    assert not (folder / "late").exists()


def test_outside_a_private_page_nothing_happens():
    when_gone(lambda: pytest.fail("nobody has gone"))
    until_gone(os.devnull)


def test_a_heartbeat_is_a_visitor(folder):
    visits, file = Visits(), write(folder, "a")

    async def app(scope, receive, send):
        visits.remember("ann", files=[file])
        assert Path(file).is_file()
        if "fails" in scope["path"]:
            raise OSError

    beats = Heartbeats(app, visits)
    awaited(
        beats({"type": "http", "method": "GET", "path": "/gradio_api/heartbeat/ann"}, None, None)
    )
    assert not Path(file).exists()


def test_what_somebody_else_has_just_sent_by_the_same_name_stays(folder):
    visits, file = Visits(), write(folder, "own")
    visits.arrive("ann")
    visits.remember("ann", sent=[file])
    again = folder / "again"
    again.write_text("the same picture")
    again.replace(file)  # as an upload comes; its event is still to come
    visits.part("ann")
    assert Path(file).read_text() == "the same picture"
    visits.arrive("bob")
    visits.remember("bob", sent=[file])
    visits.part("bob")
    assert not Path(file).exists()
