"""`sinktrack score`: every trap is reported, and every figure is the one worked by hand."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from sinktrack import cli
from sinktrack.eval.statistics import paired_p, summed

QUESTION = "Where?\nOptions: A: left, B: straight on, C: right"
CUT = "First I look at the road and then at the sky above it, and because the sun stands "
PATTERN = "{method}_{seed}.jsonl"


def write(path, answers, gold="B", **more):
    rows = [
        {"id": id, "question": QUESTION, "answer": gold, "pred": answer, **more}
        for id, answer in answers
    ]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scored(capsys, *words):
    """Return what --json writes, and what is printed."""
    assert cli.main(["score", *words, "--json", "out.json"]) == 0, capsys.readouterr().err
    return json.loads(Path("out.json").read_text("utf-8")), capsys.readouterr().out


def refused(capsys, *words):
    assert cli.main(["score", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    return printed.err


def enumerated(*answers):
    return list(enumerate(answers, start=1))


def test_every_trap_is_reported(folder, capsys):
    plain = [
        *enumerated("Answer: B", "Answer: [Your Final Option]", "no idea", "B", "A"),
        *((id, f"{CUT}{where}") for id, where in ((6, "low"), (7, "far"), (8, "red"))),
    ]
    write("plain_1.jsonl", [*plain, *plain[:4]])
    write("plain_2.jsonl", [*plain, *plain[:4]])
    write("new_1.jsonl", [*enumerated(*["Answer: B"] * 7), (7, "Answer: A")])
    write("new_2.jsonl", enumerated(*["Answer: C"] * 7))
    Path("new_3.jsonl").write_text("\n")
    names = ["plain_1", "plain_2", "new_1", "new_2", "new_3"]
    found, printed = scored(capsys, *(f"{name}.jsonl" for name in names), "--pattern", PATTERN)
    expected = [
        "new_3.jsonl is empty.",
        "plain_1.jsonl and plain_2.jsonl are equal byte for byte.",
        "plain, seed 1: ids come again in 4 of 12 rows, such as 1, with another answer in 0; the "
        "first row of an id counts.",
        "plain, seed 1: several runs stand in one file or under one seed, because 4 ids in a row "
        "come again in the same order; the first 8 answers count.",
        "new, seed 1: ids come again in 1 of 8 rows, such as 7, with another answer in 1; the "
        "first row of an id counts.",
        "new, seed 1: 1 of 8 items are missing, such as 8; methods are compared on the items that "
        "both have.",
        "plain, seed 1: 3 of 8 answers stop in mid-sentence, at about 20 words and marks: they "
        "were probably cut at a common length.",
        "plain, seed 1: 1 of 8 answers echo the prompt's template, most often "
        "'[Your Final Option]'.",
        "plain: 100.0 % of the answers are equal between seeds.",
        "new: 0.0 % of the answers are equal between seeds.",
        "The methods' seeds agree in very different measure (plain 100.0 % and new 0.0 %), "
        "which is a hint that the methods were decoded differently.",
        "plain, seed 1: 62.5 % of the answers cannot be read by the rule fair.",
    ]
    new = found["methods"]["new"]["seeds"]["1"]
    assert new["items"] == 7 and new["accuracy"] == 1  # the second answer to 7 is wrong
    for sentence in expected:
        assert sentence in found["findings"], sentence
        assert f"- {sentence}\n" in printed
    assert "several runs" not in "".join(each for each in found["findings"] if "new" in each)


def test_answers_cut_at_a_number_of_words_are_reported(folder, capsys):
    """Twelve answers of 30 words each, of unlike length in letters, and one that ends before."""
    long = [
        " ".join(["street", "is", "on"][place % 3] * (1 + place % 2) for _ in range(30))
        for place in range(12)
    ]
    write("a.jsonl", enumerated(*long, "Answer: B."))
    found, _ = scored(capsys, "a.jsonl")
    assert found["findings"][0] == (
        "a: 12 of 13 answers stop in mid-sentence, at about 30 words and marks: they were probably "
        "cut at a common length."
    )


def test_a_repeated_instruction_is_reported_and_a_repeated_option_is_not(folder, capsys):
    last = "Answer with the letter of the right option alone."
    rows = [
        {"id": 1, "question": f"Where?\nA. left\nB. right\n{last}", "answer": "B", "pred": last},
        {"id": 2, "question": f"Where?\nA. left\nB. {last}", "answer": "B", "pred": f"B. {last}"},
    ]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, _ = scored(capsys, "a.jsonl")
    assert found["findings"][0] == "a: 1 of 2 answers repeat the question's instruction."


def test_clean_files_have_no_findings(folder, capsys):
    for name in ("one", "two"):
        write(f"{name}.jsonl", enumerated(*["Answer: B"] * 5))
    Path("two.jsonl").write_text(Path("two.jsonl").read_text("utf-8") + "\n", "utf-8")
    found, printed = scored(capsys, "one.jsonl", "two.jsonl")
    assert found["findings"] == [] and "Findings" not in printed


def test_other_right_answers_for_the_same_items_are_reported(folder, capsys):
    write("one.jsonl", enumerated("B", "B"))
    write("two.jsonl", enumerated("B", "B"), gold="C")
    found, _ = scored(capsys, "one.jsonl", "two.jsonl")
    assert found["findings"] == [
        "two: 2 items have another right answer than in one, such as 1 and 2."
    ]


def test_right_answers_that_are_no_option_are_reported(folder, capsys):
    rows = [
        {"id": id, "options": ["left", "right"], "answer": gold, "pred": "B"}
        for id, gold in ((1, 1), (2, "right"), (3, "A"))
    ]
    for name in ("a", "b"):
        text = "".join(json.dumps(row | {"run": name}) + "\n" for row in rows)
        Path(f"{name}.jsonl").write_text(text)
    found, _ = scored(capsys, "a.jsonl", "b.jsonl")
    assert found["findings"] == [
        "a: 1 of 3 items with options have a right answer that is none of them, such as '1' for 1; "
        "without --kind it is compared as a word."
    ]


def test_empty_answers_are_reported(folder, capsys):
    write("a.jsonl", enumerated("B", " ", ""))
    Path("b.json").write_text(json.dumps({"1": "Rollo", "2": ""}))
    Path("gold.json").write_text(json.dumps({"1": ["Rollo"], "2": []}))
    assert scored(capsys, "a.jsonl")[0]["findings"][0] == "a: 2 of 3 answers are empty."
    found, _ = scored(capsys, "b.json", "--gold-file", "gold.json")
    assert found["findings"][0] == (
        "b: 1 of 2 answers are empty, which the scorer of SQuAD 2.0 takes for abstaining; "
        '--abstain "" does so here.'
    )
    assert found["methods"]["b"]["pooled"]["accuracy"] == 1 / 2
    taken, printed = scored(capsys, "b.json", "--gold-file", "gold.json", "--abstain", "")
    assert taken["methods"]["b"]["pooled"]["accuracy"] == 1
    assert taken["methods"]["b"]["pooled"]["unparsed"] == 0
    assert "An answer abstains where it is empty." in printed


def test_figures_and_differences_are_those_worked_by_hand(folder, capsys):
    """Items 4 and 5 are unparsed in one method alone; 3 is won, 6 is lost among the parsed."""
    write("plain_1.jsonl", enumerated("B", "B", "C", "no idea", "no idea", "B"))
    write("new_1.jsonl", enumerated("B", "B", "B", "B", "C", "C"))
    found, _ = scored(capsys, "plain_1.jsonl", "new_1.jsonl", "--pattern", PATTERN)
    plain = found["methods"]["plain"]["seeds"]["1"]
    assert plain == {
        "items": 6,
        "accuracy": 3 / 6,
        "accuracy among parsed": 3 / 4,
        "unparsed": pytest.approx(2 / 6),
    }
    new = found["methods"]["new"]
    assert new["pooled"] == new["seeds"]["1"]
    low, high = new["intervals"]["accuracy"]
    assert low < new["pooled"]["accuracy"] < high
    assert new["pooled"]["accuracy"] == pytest.approx(4 / 6)
    by_measure = {each["measure"]: each for each in found["differences"]}
    accuracy = by_measure["accuracy"]
    assert accuracy.keys() == {"of", "minus", "measure", "value", "interval", "p"}
    assert (accuracy["of"], accuracy["minus"]) == ("new", "plain")
    assert accuracy["value"] == pytest.approx(1 / 6)
    assert accuracy["p"] == 1.0  # McNemar: 2 won, 1 lost
    assert by_measure["accuracy, formatting"]["value"] == pytest.approx(1 / 6)
    assert by_measure["accuracy, remaining"]["value"] == pytest.approx(0)
    assert by_measure["accuracy among parsed"]["value"] == pytest.approx(4 / 6 - 3 / 4)
    assert found.keys() == {"methods", "differences", "findings"}


def test_seeds_are_pooled_by_item_and_formatting_is_told_seed_by_seed(folder, capsys):
    write("plain_1.jsonl", enumerated("B", "no idea"))
    write("plain_2.jsonl", enumerated("C", "B"))
    write("new_1.jsonl", enumerated("B", "B"))
    write("new_2.jsonl", enumerated("B", "C"))
    found, _ = scored(
        capsys,
        *(f"{name}.jsonl" for name in ("plain_1", "plain_2", "new_1", "new_2")),
        "--pattern",
        PATTERN,
    )
    assert found["methods"]["plain"]["pooled"]["accuracy"] == 2 / 4
    assert found["methods"]["plain"]["pooled"]["items"] == 2
    assert found["methods"]["new"]["pooled"]["accuracy"] == 3 / 4
    values = {each["measure"]: each["value"] for each in found["differences"]}
    assert values["accuracy, formatting"] == pytest.approx(1 / 4)  # item 2, seed 1
    assert values["accuracy, remaining"] == pytest.approx(0)  # item 1, seed 2 won; 2, 2 lost


def test_yes_and_no_have_popes_measures_and_each_category_its_accuracy(folder, capsys):
    """Two true positives, one false one, and one answer without yes or no, worked by hand."""
    rows = "index\tquestion\tanswer\tcategory\tprediction\n" + "".join(
        f"{index}\tIs there?\t{gold}\t{category}\t{said}\n"
        for index, gold, category, said in (
            (1, "Yes", "random,popular", "Yes"),
            (2, "No", "random", "Answer: Yes"),
            (3, "No", "popular", "it is unclear"),
        )
    )
    Path("pope.tsv").write_text(rows, "utf-8")
    found, _ = scored(capsys, "pope.tsv")
    figures = found["methods"]["pope"]["seeds"]["-"]
    assert figures["items"] == 4
    assert figures["accuracy"] == 2 / 4 and figures["unparsed"] == 1 / 4
    assert figures["precision"] == pytest.approx(2 / 3) and figures["recall"] == 1
    assert figures["F1"] == pytest.approx(4 / 5) and figures["yes ratio"] == 3 / 4
    assert figures["accuracy, random"] == figures["accuracy, popular"] == 1 / 2


def test_clusters_are_drawn_whole(folder, capsys):
    """With all items about one picture every draw is the same, and nothing can be exchanged."""
    write("plain.jsonl", enumerated("B", "C", "C", "C"), image="one.png")
    write("new.jsonl", enumerated("B", "B", "B", "B"), image="one.png")
    files = ("plain.jsonl", "new.jsonl")
    free = scored(capsys, *files)[0]["differences"][0]
    whole = scored(capsys, *files, "--cluster", "image")[0]["differences"][0]
    assert whole["value"] == free["value"] == 3 / 4
    assert free["interval"][0] < 3 / 4 and whole["interval"] == [3 / 4, 3 / 4]
    assert free["p"] == pytest.approx(2 * 0.5**3) and whole["p"] == 1.0
    assert summed([(1, 1), (0, 1), (1, 1)], ["a", "b", "a"]) == [(2, 2), (0, 1)]


def test_sets_of_items_are_told_apart_and_compared_inside_themselves(folder, capsys):
    for bench in ("pope", "star"):
        for method in ("plain", "new"):
            write(f"{bench}-{method}-x.jsonl", enumerated("B"))
    files = sorted(str(path) for path in Path().glob("*.jsonl"))
    found, _ = scored(capsys, *files, "--pattern", "{bench}-{method}-*.jsonl")
    assert list(found["methods"]) == ["pope: new", "pope: plain", "star: new", "star: plain"]
    pairs = {(each["of"], each["minus"]) for each in found["differences"]}
    assert pairs == {("pope: plain", "pope: new"), ("star: plain", "star: new")}
    found, printed = scored(
        capsys, *files, "--pattern", "{bench}-{method}-*.jsonl", "--baseline", "plain"
    )
    assert "| pope: new minus plain | accuracy |" in printed
    assert "| star | seed | items |" in printed
    pairs = {(each["of"], each["minus"]) for each in found["differences"]}
    assert pairs == {("pope: new", "pope: plain"), ("star: new", "star: plain")}


def test_abstaining_phrases_are_printed_and_can_be_set(folder, capsys):
    write("a.jsonl", enumerated("The text is silent."), gold=[])
    found, printed = scored(capsys, "a.jsonl")
    assert found["methods"]["a"]["pooled"]["F1"] == 0 and "cannotanswer; cannot answer" in printed
    found, printed = scored(capsys, "a.jsonl", "--abstain", "is silent")
    assert found["methods"]["a"]["pooled"]["F1"] == 1 and "says one of: is silent." in printed


def test_dialogues_are_scored_against_a_file_of_their_own(folder, capsys):
    """F1 worked by hand: 2 * 1 / (2 + 1), then an abstention that is right and one that is not."""
    qas = [
        {"id": f"d_q#{turn}", "answers": [{"text": text} for text in texts]}
        for turn, texts in enumerate((["1990", "born 1990"], ["CANNOTANSWER"], ["in May"]))
    ]
    Path("val.json").write_text(json.dumps({"data": [{"paragraphs": [{"qas": qas}]}]}))
    row = {
        "qid": [f"d_q#{turn}" for turn in range(3)],
        "best_span_str": ["in 1990", "CANNOTANSWER", "CANNOTANSWER"],
    }
    Path("plain.jsonl").write_text(json.dumps(row) + "\n")
    found, _ = scored(capsys, "plain.jsonl", "--gold-file", "val.json")
    figures = found["methods"]["plain"]["pooled"]
    assert figures["items"] == 3
    assert figures["F1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["contains"] == pytest.approx(2 / 3)
    assert figures["abstains unanswerable"] == 1 and figures["abstains answerable"] == 1 / 2


def test_a_rule_of_ones_own_lies_beside_the_files(folder, capsys):
    Path("my_rules.py").write_text("def short(answer, gold, row):\n    return len(answer) < 3\n")
    write("a.jsonl", enumerated("B", "Answer: B"))
    found, printed = scored(capsys, "a.jsonl", "--rule", "my_rules:short")
    assert found["methods"]["a"]["pooled"]["accuracy"] == 1 / 2
    assert "Answers were read by my_rules:short." in printed


def test_the_table_and_the_figure_hold_the_same(folder, capsys):
    pytest.importorskip("matplotlib", reason="draws the figure; make setup installs it")
    write("plain.jsonl", enumerated("B", "C"))
    write("new.jsonl", enumerated("B", "B"))
    found, _ = scored(capsys, "plain.jsonl", "new.jsonl", "--csv", "a.csv", "--figure", "a.svg")
    with Path("a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    (one,) = [
        row
        for row in rows
        if (row["method"], row["seed"], row["measure"]) == ("new", "-", "accuracy")
    ]
    assert float(one["value"]) == 1.0 and one["items"] == "2"
    (one,) = [row for row in rows if row["minus"] and row["measure"] == "accuracy"]
    assert float(one["value"]) == found["differences"][0]["value"] == 0.5
    assert "<svg" in Path("a.svg").read_text("utf-8")


def test_a_figure_without_matplotlib_says_what_to_install(folder, capsys, monkeypatch):
    write("a.jsonl", enumerated("B"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["score", "a.jsonl", "--figure", "a.png"]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not Path("a.png").exists()


def test_bad_input_is_one_sentence(folder, capsys):
    write("a.jsonl", enumerated("B"))
    Path("empty.jsonl").write_text("")
    Path("bare.jsonl").write_text('{"id": "ä/1", "pred": "B"}\n', "utf-8")
    for words, sentence in (
        (["missing.jsonl"], "There is no file missing.jsonl"),
        (["empty.jsonl"], "nothing to score"),
        (["bare.jsonl"], "bare.jsonl, line 1 (id ä/1) has no right answer: fill it in or leave"),
        (["a.jsonl", "--rule", "best"], "There is no rule 'best'"),
        (["a.jsonl", "--pattern", "{seed}.csv"], "not of the pattern"),
        (["a.jsonl", "--baseline", "b"], "There is no method 'b' to compare with: choose one of a"),
        (["a.jsonl", "--gold", "right"], "has no 'right'"),
        (["a.jsonl", "--gold-file", "empty.jsonl"], "holds no right answers"),
        (["a.jsonl", "--figure", "a.doc"], "name it .png, .svg or .pdf"),
        (["a.jsonl", "--json", "no/folder.json"], "make its folder first"),
        (["a.jsonl", "--kind", "poem"], "'poem'"),
        ([], "FILES"),
    ):
        assert sentence in refused(capsys, *words)


def test_torch_is_not_loaded(folder):
    write("a.jsonl", enumerated("B"))
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from sinktrack import cli; "
            "print(cli.main(['score', 'a.jsonl']), 'torch' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "0 False"


def test_many_items_are_tested_as_few_are():
    """600 items that differ, as often to both sides, and 600 that all differ to one side."""
    even = [(0.5, 1.0)] * 300 + [(0.0, 1.0)] * 300, [(0.0, 1.0)] * 300 + [(0.5, 1.0)] * 300
    assert paired_p(*even, draws=200) == 1.0
    one_sided = [(0.0, 1.0)] * 600, [(0.5, 1.0)] * 600
    assert paired_p(*one_sided, draws=200) == pytest.approx(1 / 4001)


def test_the_example_of_the_documents_gives_what_they_show(folder, capsys):
    page = (ROOT / "docs/scoring.md").read_text("utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    plain, method = (block for language, block in fenced if language == "json")
    (rules,) = (block for language, block in fenced if language == "python")
    (tables,) = (block for language, block in fenced if block.startswith("| method"))
    Path("plain.jsonl").write_text(plain, "utf-8")
    Path("method.jsonl").write_text(method, "utf-8")
    Path("rules.py").write_text(rules, "utf-8")
    (command,) = (block for _, block in fenced if block.startswith("sinktrack score"))
    assert cli.main(shlex.split(command)[1:]) == 0
    assert tables in capsys.readouterr().out
    assert cli.main(["score", "plain.jsonl", "method.jsonl", "--rule", "rules:short"]) == 0
    assert "read by rules:short" in capsys.readouterr().out
