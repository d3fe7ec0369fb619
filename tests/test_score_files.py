"""Answers made elsewhere are read as every usual program writes them, or refused with the line."""

import gzip
import json
import lzma

import pytest

from sinktrack.core.errors import AnswersError
from sinktrack.eval.answer_files import read_answer_file
from sinktrack.eval.options import find_options
from sinktrack.eval.prediction_rows import Fields
from sinktrack.eval.predictions import names_told, read_runs
from sinktrack.eval.references import answerable, read_references

ROWS = [
    {"id": 1, "answer": "yes", "pred": "Answer: Yes"},
    {"id": 2, "answer": "no", "pred": "Grüße,\u2028 no"},
]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def one_run(path, **options):
    ((run,), _) = read_runs([path], **options)
    return run


def said(run):
    return {id: each.answer for id, each in run.first().items()}


# Formats.


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", lines(ROWS)),
        ("a.json", lines(ROWS)),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"model": "x", "answers": ROWS})),
        ("a.jsonl", "\ufeff" + lines(ROWS).replace("\n", "\r\n\r\n")),
        ("a.jsonl", lines(ROWS).encode("utf-16")),
        ("a.jsonl.xz", lzma.compress(lines(ROWS).encode())),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("a.csv", 'id,answer,pred\n1,yes,Answer: Yes\n2,no,"Grüße,\u2028 no"\n'),
        ("a.csv", "id;answer;pred\n1;yes;Answer: Yes\n2;no;Grüße,\u2028 no\n"),
        ("a.tsv", "id\tanswer\tpred\r\n1\tyes\tAnswer: Yes\r\n2\tno\tGrüße,\u2028 no\r\n"),
    ],
)
def test_every_format_says_the_same(tmp_path, name, content):
    folder = tmp_path / "übung 1"
    folder.mkdir()
    run = one_run(written(folder, name, content))
    assert said(run) == {"1": "Answer: Yes", "2": "Grüße,\u2028 no"}
    assert [each.gold for each in run.answers] == ["yes", "no"]


def test_an_excel_file_is_read(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="reads Excel files; make setup installs it")
    book = openpyxl.Workbook()
    for row in (["index", "answer", "prediction"], [1, "B", "Answer: B"], [2, "A", None]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert said(one_run(str(tmp_path / "a.xlsx"))) == {"1": "Answer: B", "2": ""}


def test_an_excel_file_without_its_reader_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(AnswersError, match="pip install openpyxl"):
        read_answer_file(written(tmp_path, "a.xlsx", b"PK"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", lines(ROWS) + "{cut", "a.jsonl, line 3 is not JSON"),
        ("a.json", lines(ROWS) + "{cut", "a.json, line 3 is not JSON"),
        ("a.jsonl", "id,pred\n1,yes\n", "line 1 is not JSON .* begins with 'id,pred'"),
        ("a.jsonl", '{"id": 1, "id": 2, "pred": "x"}\n', "line 1 .* 'id' twice"),
        ("a.jsonl", "[1, 2]\n", "line 1 is .*must be an object"),
        ("a.jsonl", "[" * 100_000, "line 1 is not JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[1]", "line 1 is 1, but must be an object"),
        ("a.json", "3", "must hold a list"),
        ("a.csv", "id,pred\n1,yes\n2\n", "line 3 has 1 values, but the first line names 2"),
        ("a.csv", "id,pred\n1,yes,\n", "3 values, .* 2 columns: .* must be in quotes"),
        ("a.tsv", 'id\tpred\n1\t"yes" it is\n', "line 2 is no row .* have its own written twice"),
        ("a.csv", "id,pred,pred\n1,a,b\n", "names the column 'pred' twice"),
        ("a.csv", "id,pred\n1,a\0b\n", "line 2 holds a NUL"),
        ("a.csv", 'id,pred\n1,"a\n', "line 2 is no row"),
        ("a.jsonl", b'{"id": 1}\n\xff\xfe\xfa', "line 2 is not text"),
        ("a.jsonl.xz", b"no xz", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(lines(ROWS).encode(), mtime=0)[:-12], "cannot be read"),
        ("a.jsonl.xz", lzma.compress(lines(ROWS).encode())[:-12], "cannot be read"),
        ("a.log", "yes", "no known format: name it .jsonl"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(tmp_path, name, content, sentence):
    with pytest.raises(AnswersError, match=sentence):
        read_answer_file(written(tmp_path, name, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for name in ("missing.jsonl", "", "a\0b.jsonl", "x" * 5000 + ".jsonl"):
        with pytest.raises(AnswersError, match="There is no file"):
            read_answer_file(str(tmp_path / name))


@pytest.mark.parametrize(
    ("row", "fields", "sentence"),
    [
        ({"id": 1, "predicion": "x", "gold": "y"}, {}, "line 1 has no prediction .*id, predicion"),
        ({"no": 1, "pred": "x"}, {}, "has no id that is known: choose one of no, pred with --id"),
        ({"id": "", "pred": "x"}, {}, "line 1 has an empty id"),
        ({"id": 7, "pred": {"a": 1}}, {}, r"line 1 \(id 7\) has .* must be a text"),
        ({"id": 7, "pred": ["a", "b"]}, {}, "must be a text: name another field with --prediction"),
        ({"id": 7, "pred": [["x", "True"], ["y", "True"]]}, {}, "must be a text"),
        ({"id": 7, "text": "Is it?", "label": "no", "answer": "no"}, {}, "with --prediction"),
        ({"id": 7, "pred": "x"}, {"gold": "right"}, r"\(id 7\) has no 'right'"),
        ({"id": 7, "pred": "x"}, {"cluster": "image"}, r"\(id 7\) has no 'image'"),
        ({"id": [1, 2], "pred": ["x"]}, {}, "2 ids .* lists of one length"),
    ],
)
def test_a_row_that_lacks_something_is_refused_with_its_line(tmp_path, row, fields, sentence):
    path = written(tmp_path, "a.jsonl", lines([row]))
    with pytest.raises(AnswersError, match=sentence):
        read_runs([path], Fields(**fields))


# What programs write.


def test_records_of_this_program_tell_method_seed_and_task(tmp_path):
    record = {"task": "shapes", "item": "a", "question": "?", "reference": "yes", "scores": {}}
    rows = [
        record | {"name": "plain", "seed": 0, "answer": "yes"},
        record | {"name": "plain", "seed": 1, "answer": "no"},
        record | {"name": "sinktrack", "seed": None, "answer": "no"},
    ]
    runs, _ = read_runs([written(tmp_path, "records.jsonl", lines(rows))])
    assert [(run.method, run.seed, run.answers[0].answer) for run in runs] == [
        ("plain", "0", "yes"),
        ("plain", "1", "no"),
        ("sinktrack", "-", "no"),
    ]
    assert runs[0].group == (("task", "shapes"),) and runs[0].answers[0].gold == "yes"
    assert runs[0].answers[0].cluster == "a"
    rows = [{**row, "cluster": "the same picture"} for row in rows]
    runs, _ = read_runs([written(tmp_path, "records.jsonl", lines(rows))])
    assert runs[0].answers[0].cluster == "the same picture"


def test_a_table_of_vlmevalkit_has_options_in_columns(tmp_path):
    table = (
        "index\tquestion\tA\tB\tC\tanswer\tcategory\tprediction\n7\tWhat?\tcat\tdog\t\tB\tx\tdog\n"
    )
    (answer,) = one_run(written(tmp_path, "a.tsv", table)).answers
    assert (answer.id, answer.gold, answer.options) == ("7", "B", {"A": "cat", "B": "dog"})


def test_samples_of_the_harnesses_hold_the_answer_in_lists(tmp_path):
    sample = {
        "doc_id": 3,
        "doc": {"question": "2 + 2?", "choices": {"text": ["3", "4"], "label": ["A", "B"]}},
        "target": "1",
        "resps": [["so B"]],
        "filtered_resps": ["B"],
    }
    (answer,) = one_run(written(tmp_path, "a.jsonl", lines([sample]))).answers
    assert (answer.id, answer.answer, answer.gold) == ("3", "B", "B")
    raw = one_run(written(tmp_path, "a.jsonl", lines([sample])), fields=Fields(prediction="resps"))
    assert raw.answers[0].answer == "so B"
    likelihoods = sample | {"filtered_resps": [["-3.5", "False"], ["-1.5", "True"]]}
    (answer,) = one_run(written(tmp_path, "b.jsonl", lines([likelihoods]))).answers
    assert (answer.answer, answer.gold) == ("B", "B")
    two = [sample | {"filter": "strict"}, sample | {"filter": "flexible"}]
    runs, _ = read_runs([written(tmp_path, "c.jsonl", lines(two))])
    assert [run.group for run in runs] == [(("filter", "strict"),), (("filter", "flexible"),)]


@pytest.mark.parametrize(
    ("target", "choices", "gold"),
    [
        ("2", ["2", "1", "0"], "C"),  # the place, though an option has this text
        ("[2]", ["x", "y", "z"], "C"),  # as AGIEval's
        ("C", ["x", "y", "z"], "C"),
        (" y", ["x", "y", "z"], "B"),
    ],
)
def test_likelihoods_are_compared_with_the_option_that_is_right(tmp_path, target, choices, gold):
    pairs = [["-3.0", "False"], ["-9.0", "False"], ["-1.0", "False"]]
    row = {"doc_id": 0, "doc": {"choices": choices}, "target": target, "filtered_resps": pairs}
    (answer,) = one_run(written(tmp_path, "a.jsonl", lines([row]))).answers
    assert (answer.answer, answer.gold) == ("C", gold)


@pytest.mark.parametrize("target", ["was bad.", "3", "[0, 2]"])
def test_likelihoods_without_a_right_option_are_refused(tmp_path, target):
    """WinoGrande's target is the end of a sentence, which both options share."""
    pairs = [["-3.0", "False"], ["-1.0", "False"]]
    row = {"doc_id": 0, "doc": {}, "target": target, "filtered_resps": pairs}
    with pytest.raises(AnswersError, match=r"\(id 0\) has the likelihoods of 2 options, but"):
        one_run(written(tmp_path, "a.jsonl", lines([row])))


def test_squad_of_lm_eval_has_a_likelihood_beside_the_answer(tmp_path):
    rows = [
        {
            "doc_id": place,
            "doc": {"question": "Who?", "answers": {"text": texts, "answer_start": []}},
            "target": target,
            "filtered_resps": [said, ["-9.5", "False"]],
        }
        for place, (texts, target, said) in enumerate(
            ((["Rollo", "Hrolf"], " Rollo", "Hrolf"), ([], " unanswerable", "unanswerable"))
        )
    ]
    answers = one_run(written(tmp_path, "a.jsonl", lines(rows))).answers
    assert [(each.answer, each.gold) for each in answers] == [
        ("Hrolf", ("Rollo", "Hrolf")),
        ("unanswerable", ()),
    ]


def test_a_number_is_a_place_among_choices_and_a_text_is_a_text(tmp_path):
    rows = [{"id": 1, "choices": ["4", "2", "1"], "answer": gold, "pred": "C"} for gold in (2, "2")]
    answers = one_run(written(tmp_path, "a.jsonl", lines(rows))).answers
    assert [each.gold for each in answers] == ["C", "B"]


def test_a_dialogue_of_quac_is_many_answers_in_one_line(tmp_path):
    row = {"qid": ["d_q#0", "d_q#1"], "best_span_str": ["in 1990", "CANNOTANSWER"]}
    gold = {
        "data": [
            {
                "paragraphs": [
                    {
                        "qas": [
                            {"id": "d_q#0", "answers": [{"text": "1990"}, {"text": "in 1990"}]},
                            {"id": "d_q#1", "answers": [{"text": "CANNOTANSWER"}]},
                        ]
                    }
                ]
            }
        ]
    }
    references = read_references(written(tmp_path, "val.json", json.dumps(gold)), Fields())
    run = one_run(written(tmp_path, "a.jsonl", lines([row])), references=references)
    assert said(run) == {"d_q#0": "in 1990", "d_q#1": "CANNOTANSWER"}
    assert [each.gold for each in run.answers] == [("1990", "in 1990"), ("CANNOTANSWER",)]
    assert {each.cluster for each in run.answers} == {"d_q#0"}


def test_squads_own_file_of_predictions_is_read_with_gold_from_elsewhere(tmp_path):
    said_file = written(tmp_path, "a.json", json.dumps({"q1": "Rollo", "q2": ""}))
    for name, content in (
        ("gold.json", json.dumps({"q1": ["Rollo", "Hrolf"], "q2": []})),
        ("gold.jsonl", lines([{"id": "q1", "gold": ["Rollo", "Hrolf"]}, {"id": "q2", "gold": []}])),
    ):
        references = read_references(written(tmp_path, name, content), Fields())
        assert references == {"q1": ("Rollo", "Hrolf"), "q2": ()}
        assert one_run(said_file, references=references).answers[1].gold == ()
    with pytest.raises(AnswersError, match=r"\(id q1\) has no right answer in the file"):
        one_run(said_file, references={"q3": "x"})


def test_at_least_half_of_quacs_annotators_make_a_question_unanswerable():
    assert answerable(("CANNOTANSWER", "1990")) == ()
    assert answerable(("CANNOTANSWER", "1990", "in 1990")) == ("1990", "in 1990")
    assert answerable(()) == ()


def test_a_pattern_tells_method_and_seed_from_the_end_of_a_path(tmp_path):
    pattern = "{family}__{method}__{size}__{bench}__*res_{seed}.json.xz"
    assert names_told("x/gemma__sinktrack__4b__POPE__6_1_d_res_323.json.xz", pattern) == {
        "family": "gemma",
        "method": "sinktrack",
        "size": "4b",
        "bench": "POPE",
        "seed": "323",
    }
    assert names_told("runs/cot/res_5.json", "{method}/res_{seed}.json")["method"] == "cot"
    for pattern, sentence in (
        ("{method}.csv", "not of the pattern"),
        ("{a}{a}", "each once"),
        ("x", "must hold names"),
        ("{}", "must hold names"),
    ):
        with pytest.raises(AnswersError, match=sentence):
            names_told("a_1.jsonl", pattern)


@pytest.mark.parametrize(
    "question",
    [
        "Which?\nOptions: A: left, B: straight on, C: right",
        "Which?\nA. left\nB. straight on\nC. right\nAnswer with A letter.",
        "Which?\nA: left\nB: straight on\nC: right",
        "Which? (A) left (B) straight on (C) right",
        "Which?\nA) left\nB) straight on\nC) right",
        "Which?\nOptions: ['left', 'straight on', 'right']",
        "Which?\nChoices: ['A. left', 'B. straight on', 'C. right']",
    ],
)
def test_options_are_read_in_every_style(question):
    assert find_options(question) == {"A": "left", "B": "straight on", "C": "right"}


def test_of_several_runs_of_letters_the_last_one_counts():
    question = "Plan A: wait, B: go. Which is faster?\nA. plan A\nB. plan B"
    assert find_options(question) == {"A": "plan A", "B": "plan B"}


def test_no_options_are_found_where_none_stand():
    for question in ("Is A: the first?", "Vitamin A. Or what?", "Options: [1, 2", ""):
        assert find_options(question) == {}
