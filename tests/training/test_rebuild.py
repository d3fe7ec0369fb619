"""A shorter `make checkpoint`: the same commands, and what they must have learned by then."""

import json
from pathlib import Path

import pytest

from training import anchor, train


@pytest.mark.slow(reason="trains for several minutes")
@pytest.mark.filterwarnings("default")  # torch's compiler warns about its own doings
def test_lessons_are_learned_and_answers_begin(tmp_path: Path) -> None:
    """From nothing to shapes seen, places named, and answers that fall into form."""
    plain, state = tmp_path / "plain", tmp_path / "state" / "state.pt"
    train.main(f"--out {plain} --state {state} --steps 250 --log-every 10".split())
    lines = [json.loads(line) for line in (state.parent / "log.jsonl").read_text().splitlines()]
    assert max(line.get("seen", 0) for line in lines) >= 0.9
    assert max(line.get("row", 0) for line in lines) >= 0.95
    assert max(line.get("column", 0) for line in lines) >= 0.95
    assert min(line["loss"] for line in lines if "objects" in line) <= 0.3
    assert max(line.get("sink", 0) for line in lines) >= 0.2
    anchored, state = tmp_path / "anchored", tmp_path / "next" / "state.pt"
    anchor.main(
        f"--start {plain} --out {anchored} --state {state} --steps 150 --log-every 1".split()
    )
    lines = [json.loads(line) for line in (state.parent / "log.jsonl").read_text().splitlines()]
    losses = [line["anchored"] for line in lines if "anchored" in line]
    assert min(losses) <= 0.5 * losses[0]
