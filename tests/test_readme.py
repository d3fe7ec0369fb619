"""The README's code runs, and what it points at exists."""

import re

from paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_its_python_runs(monkeypatch, tmp_path):
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "trace.safetensors").is_file()
    assert len(names["trace"].tokens) > 0


def test_its_links_point_at_files():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert targets >= {"demo", "test"}
    for target in targets:
        assert f"\n{target}:" in makefile
