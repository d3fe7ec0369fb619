"""The house's own rules beside those of the linters: what is public, and how long a file is."""

from pathlib import Path

from paths import ROOT

import sinktrack


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def test_public_names_are_no_modules():
    """They are imported when first used, so a module of the same name would take their place."""
    modules = {path.stem for path in (ROOT / "sinktrack").glob("*.py")}
    assert not set(sinktrack.__all__) & modules


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
        "activation_maps",
        "attach",
        "compare",
        "explain",
        "load",
        "methods",
        "stream",
    ]
    assert all(hasattr(sinktrack, name) for name in sinktrack.__all__)


def test_files_stay_readable():
    for path in [*sources("sinktrack"), *sources("app"), Path(ROOT / "app.py")]:
        assert len(path.read_text("utf-8").splitlines()) <= 450, path.name
