"""What `sinktrack bench` measures; how long it takes is nobody's business here."""

import json

from paths import CHECKPOINT

import sinktrack
from sinktrack.bench import COMPARISONS, Times, bench_checkpoint
from sinktrack.cli import main


def test_every_ratio_is_of_runs_of_the_same_round(monkeypatch):
    times = Times(conditions={"rounds": 3}, seconds={"a": [4.0, 9.0, 2.0], "b": [2.0, 3.0, 4.0]})
    assert times.ratios("a", "b") == [0.5, 2.0, 3.0]
    comparisons = [("a / b", "a", "b")]
    monkeypatch.setattr("sinktrack.bench.COMPARISONS", comparisons)
    assert (
        "| a / b | 2.000 | 0.500 | 3.000 |"
        in Times(conditions={}, seconds=times.seconds | {"plain": [1.0]}).table()
    )


def test_a_checkpoint_is_measured_and_left_as_it_was():
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    ends = model.generation_config.eos_token_id
    attention = model.config.get_text_config()._attn_implementation
    times = bench_checkpoint(model, processor, prompt_tokens=150, new_tokens=2, rounds=1)
    assert times.conditions["prompt tokens"] >= 150 and times.conditions["dtype"] == "float32"
    assert {name for _, *runs in COMPARISONS for name in runs} == set(times.seconds)
    assert all(len(taken) == 1 and taken[0] > 0 for taken in times.seconds.values())
    assert times.table().count("\n| ") == 2 + len(COMPARISONS) - 1
    assert model.generation_config.eos_token_id == ends
    assert model.config.get_text_config()._attn_implementation == attention


def test_the_command_prints_a_table_or_every_time(capsys, monkeypatch):
    options = ["bench", "--new-tokens", "1", "--rounds", "1"]
    assert main(options) == 0
    assert "| two methods with trace / one plain generate |" in capsys.readouterr().out
    assert main([*options, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"conditions", "seconds"}
