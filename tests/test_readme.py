"""What the documents say is true: their code runs, and what they point at exists."""

import re

import pytest
import test_methods
from paths import CHECKPOINT, ROOT

import sinktrack
from sinktrack.core.intervention import KINDS
from sinktrack.study.folder import read_study

README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
)


def blocks(text, language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for own, block in fenced if own == language]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a page's Python from an empty folder beside the project's assets."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    kinds = sinktrack.methods.available()

    def run_all(name):
        names = {}
        for block in blocks((ROOT / name).read_text("utf-8"), "python"):
            exec(compile(block, name, "exec"), names)
        return names

    yield run_all
    KINDS.clear()  # without the methods that a page defined
    KINDS.update(kinds)


def test_the_python_of_the_readme_runs(run, tmp_path):
    assert len(blocks(README, "python")) >= 3
    names = run("README.md")
    assert (tmp_path / "trace.safetensors").is_file()
    assert len(names["trace"].tokens) > 0


def test_the_python_about_why_runs(run):
    names = run("docs/why.md")
    ids = names["forced"]["baseline"].token_ids
    assert ids[:5] == names["words"] == names["comparison"]["sinktrack"].token_ids[:5]
    assert names["maps"]["baseline"][0].shape == (5, 5)
    assert len({answer.text for answer in names["answers"].values()}) > 1


def test_the_method_of_the_documents_keeps_what_every_method_promises(
    run, checkpoint, close, tmp_path, monkeypatch
):
    page = (ROOT / "docs/methods.md").read_text("utf-8")
    assert blocks(page, "python")[0].count("\n") <= 60
    names = run("docs/methods.md")
    assert names["answers"]["hush"].moved["attention"] > 0
    (row,) = (block for block in blocks(page, "") if block.startswith('"hush"'))
    monkeypatch.setitem(test_methods.ROWS, "hush", eval(f"{{{row}}}")["hush"])
    at_hand = {"kind": "hush", "checkpoint": checkpoint, "close": close, "tmp_path": tmp_path}
    at_hand["all_together"] = test_methods.together(checkpoint)
    tests = [
        each
        for each in vars(test_methods).values()
        if any(mark.args[:1] == ("kind",) for mark in getattr(each, "pytestmark", ()))
    ]
    assert len(tests) >= 10
    for test in tests:
        wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
        test(**{name: at_hand[name] for name in wanted})


def test_the_table_of_methods_is_current(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import describe_methods

    model, _ = sinktrack.load(CHECKPOINT.parent / "shapes-vl", device="cpu")
    page = describe_methods.PAGE.read_text("utf-8")
    assert page == describe_methods.described(model), "run `make docs`"
    assert all(f"| `{kind}` |" in page for kind in sinktrack.methods.available())


@pytest.mark.parametrize("page", PAGES)
def test_links_point_at_files(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)`", text, re.MULTILINE):
        assert f"\n{''.join(target)}:" in makefile, target


def test_the_drawing_of_the_architecture_is_current(monkeypatch):
    pytest.importorskip("grimp", reason="comes with import-linter, which make setup installs")
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import draw_architecture

    current = draw_architecture.DRAWING.read_text("utf-8")
    assert current == draw_architecture.drawing(), "run `make docs`"


def test_the_reading_order_names_every_file_of_the_library():
    page = ROOT / "docs/architecture.md"
    named = [
        (page.parent / target).resolve()
        for target in re.findall(r"\]\((\.\./[^)]+)\)", page.read_text("utf-8"))
    ]
    # A method needs no line of its own: the folder is named, and its files are found.
    folders = [ROOT / "sinktrack/methods", *(path for path in named if path.is_dir())]
    for file in (ROOT / "sinktrack").rglob("*.py"):
        inside = any(folder in file.parents for folder in folders)
        root = file.parent == ROOT / "sinktrack"
        assert file in named or inside or (file.name == "__init__.py" and not root), file


def test_the_study_of_the_documents_can_be_read(tmp_path):
    page = (ROOT / "docs/studies.md").read_text("utf-8")
    about, items = ("\n".join(blocks(page, language)) for language in ("yaml", "json"))
    (tmp_path / "study.yaml").write_text(about)
    (tmp_path / "items.jsonl").write_text(items)
    for picture in re.findall(r'"([\w/-]+\.jpg)"', items):
        (tmp_path / picture).parent.mkdir(exist_ok=True)
        (tmp_path / picture).touch()
    study = read_study(tmp_path)
    assert len(study.items) == 6 and len(study.questions) == 3


def test_what_security_names_as_tests_are_tests():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"`(?:tests/\S+/)?(?:tests/)?(test_\w+\.py)`", text)
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 8 and set(named) <= there


def test_every_variable_of_the_page_stands_where_hosting_is_told():
    """And none that is not read."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "app").rglob("*.py"))
    # settings make some names of the options' names
    read = set(re.findall(r'"(SINKTRACK_[A-Z_]+[A-Z])"', code))
    read |= {
        f"SINKTRACK_{name}"
        for name in (
            *("MAX_NEW_TOKENS", "MAX_QUESTION_TOKENS", "QUEUE_SIZE", "ANSWER_SECONDS"),
            *("QUESTIONS_A_MINUTE", "MODEL_SECONDS_AN_HOUR", "UPLOADS_A_MINUTE"),
            *("MCP", "PRIVATE"),
        )
    }
    told = set(
        re.findall(r"`(SINKTRACK_[A-Z_]+)`", (ROOT / "docs" / "hosting.md").read_text("utf-8"))
    )
    assert read == told
