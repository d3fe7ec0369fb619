"""The house's own rules: which way imports run, what is public, what is kept out."""

import ast
from pathlib import Path

import pytest
from paths import ROOT

import sinktrack

# Every module may import those to its left, and none to its right.
ORDER = [
    *("version", "errors", "files", "names", "machine", "exclusive", "method", "trace", "images"),
    *("segments", "upstream", "window", "attention", "text", "recorder", "architecture"),
    *("attachment", "comparison", "decoding", "lane", "prompts", "models", "generator", "lanes"),
    *("payload", "replay", "report", "bench", "terminal", "cli"),
]
ABOVE = (
    "eval",
    "shapes",
    "study",
)  # packages that stand on all of these, and below the command line


def imported(path):
    """Yield the dotted names that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def test_imports_run_one_way():
    modules = {path.stem: path for path in (ROOT / "sinktrack").glob("[!_]*.py")}
    assert set(modules) == set(ORDER)
    for name in ORDER:
        for dotted in imported(modules[name]):
            if dotted.split(".")[0] == "sinktrack":
                assert dotted != "sinktrack", f"{name} imports the package itself"
                module = dotted.split(".")[1]
                if module not in ABOVE or name != "cli":
                    assert ORDER.index(module) < ORDER.index(name), f"{name} imports {dotted}"


def test_public_names_are_no_modules():
    """They are imported when first used, so a module of the same name would take their place."""
    assert not set(sinktrack.__all__) & set(ORDER)


@pytest.mark.parametrize("path", sources("sinktrack"), ids=lambda path: path.stem)
def test_the_library_knows_no_page_and_no_database(path):
    for dotted in imported(path):
        assert dotted.split(".")[0] not in {"app", "gradio", "sqlite3", "sqlalchemy", "spaces"}


def test_the_page_reaches_the_library_through_its_engine():
    allowed = {"engine.py"}
    for path in sources("app"):
        if path.name not in allowed:
            assert "torch" not in set(imported(path)), path.name
            names = {dotted for dotted in imported(path) if dotted.startswith("sinktrack")}
            heavy = {f"sinktrack.{name}" for name in ("lanes", "attachment", "models")}
            assert not names & {"sinktrack", *heavy}, path.name


def test_the_public_names():
    assert sorted(sinktrack.__all__) == [
        "Answer",
        "AttentionTrace",
        "Comparison",
        "SinkTrack",
        "SinkTrackError",
        "SinkWindow",
        "Step",
        "Token",
        "__version__",
        "attach",
        "compare",
        "load",
        "stream",
    ]
    assert all(hasattr(sinktrack, name) for name in sinktrack.__all__)


def test_files_stay_readable():
    for path in [*sources("sinktrack"), *sources("app"), Path(ROOT / "app.py")]:
        assert len(path.read_text("utf-8").splitlines()) <= 450, path.name
