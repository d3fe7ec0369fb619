"""The house's own rules beside those of the linters: what is public, what is kept out."""

import ast
from pathlib import Path

from paths import ROOT

import sinktrack


def imported(path):
    """Yield the dotted names that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def test_public_names_are_no_modules():
    """They are imported when first used, so a module of the same name would take their place."""
    modules = {path.stem for path in (ROOT / "sinktrack").glob("*.py")}
    assert not set(sinktrack.__all__) & modules


def test_the_page_reaches_the_library_through_its_engine():
    allowed = {"engine.py"}
    for path in sources("app"):
        if path.name not in allowed:
            assert "torch" not in set(imported(path)), path.name
            names = {dotted for dotted in imported(path) if dotted.startswith("sinktrack")}
            heavy = {f"sinktrack.{name}" for name in ("api", "core.attach", "core.models")}
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
