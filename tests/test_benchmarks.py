"""Public benchmarks as tasks: what is read, how it is asked, and what is refused."""

import json
import lzma
import sys

import pytest
from paths import CHECKPOINT
from small_sets import QUAC_FILE, SETS, SQUAD_FILE

from sinktrack import cli
from sinktrack.core.errors import DataError, MethodError
from sinktrack.eval import data_sets
from sinktrack.eval.runner import Run
from sinktrack.eval.task import Benchmark, Chosen
from sinktrack.eval.tasks import available, find, placed

MOST = 10_000


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Return what writes a small copy of a benchmark and chooses it."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    data_sets._load.cache_clear()

    def chosen(name, **options):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            SETS[name](folder)
        return find(name, Chosen(data={name: str(folder)}, **options))

    yield chosen
    data_sets._load.cache_clear()


def items_of(task, split="test", limit=MOST):
    return list(task.items(split, limit))


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("prompt", ["direct", "cot"])
def test_a_copy_in_the_hubs_layout_is_read(small, name, prompt):
    """Each item has an id of its own, its pictures open, and the right answer scores best."""
    for task in small(name, prompt=prompt):
        items = Run(tasks=[task], methods={}).items(task)
        assert items, task.name
        for item in items:
            assert all(image().size == (56, 56) for image in item.images)
            assert "{" not in item.question + item.passage
            scores = task.score(item, f"Answer: {item.answer}" if prompt == "cot" else item.answer)
            best = "accuracy" if "accuracy" in scores else "F1, all questions"
            assert scores[best][0] == pytest.approx(1), (task.name, item.id, scores)
        about = task.about("test")
        assert about["data"].endswith(name) and about["prompt"] == prompt
        assert json.loads(json.dumps(about)) == about


def test_popes_categories_are_tasks(small):
    tasks = small("pope")
    assert [task.name for task in tasks] == ["POPE, random", "POPE, popular", "POPE, adversarial"]
    asked = {item.question for task in tasks for item in items_of(task)}
    assert len(asked) == 12 and all("single word" in question for question in asked)
    assert tasks[0].score(items_of(tasks[0])[0], "Yes, there is.")["recall"] == (1.0, 1.0)
    assert tasks[0].max_new_tokens == 128 and tasks[0].limit >= MOST


@pytest.mark.parametrize("name", ["pope", "squad", "quac", "hallusion-bench", "longbench"])
def test_what_items_share_is_named(small, name):
    """The same picture, passage or conversation has the same name, and another one another."""
    for task in small(name):
        items = items_of(task)
        assert all(item.cluster for item in items)
        passages = {}
        for item in items:
            passages.setdefault(item.passage, set()).add(item.cluster)
        if name in ("squad", "longbench"):
            assert all(len(found) == 1 for found in passages.values())
            assert len({each for found in passages.values() for each in found}) == len(passages)
    if name != "longbench":
        assert len({item.cluster for item in items}) < len(items)


def test_choices_are_put_with_their_letters(small):
    (task,) = small("m3cot", prompt="published-sinktrack")
    first, _, last = items_of(task)  # one row has no picture
    assert first.question.startswith(
        "Question: Which one is 0?\nA. left\nB. ahead\nC. right\nD. above\n\nLet's think step by "
        "step!\n\nOutput Format:\nYou must first give your reasoning step, then"
    )
    assert task.max_new_tokens == 2048
    scores = task.score(last, "It is not (B). So the answer is (E) below.")
    assert scores["accuracy"] == (0.0, 1.0) and last.answer == "D"
    assert scores["accuracy, commonsense"] == (0.0, 1.0) and scores["unparsed"] == (0.0, 1.0)


def test_options_inside_a_question_are_options(small):
    (task,) = small("mmstar")
    items = items_of(task)
    assert task.score(items[1], "ahead of us")["accuracy"] == (1.0, 1.0)
    assert task.score(items[0], "**Answer: A**")["accuracy, coarse perception"] == (1.0, 1.0)


def test_steps_are_not_asked_for_with_a_bare_letter(small):
    """RealWorldQA's questions end with the form of the answer, which steps would contradict."""
    direct, cot = (items_of(small("realworldqa", prompt=each)[0]) for each in ("direct", "cot"))
    assert all("Please answer directly" in item.question for item in direct)
    assert all("Please answer directly" not in item.question for item in cot)
    assert cot[1].question.startswith("How many cars are there?\nThink")
    (task,) = small("realworldqa")
    assert task.score(direct[1], "Two.")["accuracy"] == (1.0, 1.0)


def test_scienceqa_is_asked_of_what_has_a_picture(small):
    (task,) = small("scienceqa")
    with_hint, without = items_of(task)
    assert with_hint.question.startswith("Context: A hint.\nWhich of these is 1?\nA. solid\n")
    assert without.question.startswith("Which of these is 3?\n")
    assert (with_hint.id, with_hint.answer, without.answer) == ("1", "B", "A")


def test_a_question_without_a_picture_is_asked_without_one(small):
    (task,) = small("hallusion-bench")
    items = items_of(task)
    assert [len(item.images) for item in items] == [1] * 6 + [0]
    shown = items_of(small("hallusion-bench-pictures")[0])
    assert [item.id for item in shown] == [item.id for item in items[:-1]]
    alone = items[-1]
    assert alone.id == "VS_chart_0_0_0"
    for answer, right in (("Yes.", 1), ("No.", 0), ("I am not certain.", 1), ("", 0)):
        assert task.score(alone, answer)["accuracy"] == (right, 1.0)
    assert task.score(items[0], "I am not certain.")["accuracy"] == (0.0, 1.0)


def test_a_conversation_stands_in_the_chat_or_in_the_text(small):
    chat, text = (
        items_of(small("quac", prompt=each)[0])[1] for each in ("direct", "published-cot")
    )
    assert chat.earlier == (("Who was Rollo?", "a Viking"),)
    assert chat.passage == text.passage.removeprefix("**Article:**\n")
    assert "CANNOTANSWER" not in chat.passage
    assert text.earlier == () and "Q: Who was Rollo?\nA: a Viking\n\n" in text.question
    assert text.system.startswith("You are an expert at reading comprehension")
    assert chat.system == "" and chat.references == ("CANNOTANSWER", "CANNOTANSWER")


def test_longbench_is_put_as_its_authors_do(small):
    tasks = {task.name: task for task in small("longbench")}
    assert len(tasks) == 6
    (item,) = items_of(tasks["LongBench, hotpotqa"])
    assert f"{item.passage}\n\n{item.question}" == (
        "Answer the question based on the given passages. Only give me the answer and do not "
        "output any other words.\n\nThe following are given passages.\nPassage 1:\nAnna wrote it."
        "\n\nPassage 2:\nNobody did.\n\nAnswer the question based on the given passages. Only give "
        "me the answer and do not output any other words.\n\nQuestion: Who wrote hotpotqa?\nAnswer:"
    )
    lengths = [task.max_new_tokens for task in tasks.values()]
    assert lengths == [128, 128, 64, 32, 32, 32]
    assert tasks["LongBench, hotpotqa"].score(item, "Anna Smith")["F1"][0] == pytest.approx(0.8)


@pytest.mark.parametrize(("name", "content"), [("squad", SQUAD_FILE), ("quac", QUAC_FILE)])
def test_the_authors_own_file_is_read_without_the_library(name, content, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    path = tmp_path / "own.json.xz"
    path.write_bytes(lzma.compress(json.dumps(content).encode()))
    (task,) = find(name, Chosen(data={name: str(path)}))
    items = items_of(task)
    assert len(items) == 2 and task.about("test")["split"] is None
    assert all(task.score(item, item.answer) for item in items)
    path.write_bytes(lzma.compress(b'{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}'))
    with pytest.raises(DataError, match=r"own\.json\.xz is no file of .* is missing in it"):
        items_of(task)


def test_a_limit_takes_rows_from_the_whole_file(small):
    """Evenly, as many of each kind of SQuAD's, and no pair, figure or conversation in part."""
    assert [item.id for item in items_of(small("pope")[0], limit=2)] == ["1", "3"]
    squad = items_of(small("squad")[0], limit=4)
    assert [item.id for item in squad] == ["q0", "q1", "q4", "q5"]
    assert sum(not item.references for item in squad) == 2
    (hallusion,) = small("hallusion-bench")
    assert len(items_of(hallusion, limit=4)) == 4  # the set VD
    assert len(items_of(hallusion, limit=3)) == 0 == len(items_of(small("quac")[0], limit=1))


def test_questions_to_choose_by_are_others(small):
    assert [item.id for item in items_of(small("m3cot")[0], "validation")] == [
        "physical-commonsense-0"
    ]
    assert len(items_of(small("squad")[0], "validation")) == 2
    with pytest.raises(DataError, match="MMStar has no split to choose by: measure with --split t"):
        items_of(small("mmstar")[0], "validation")


def test_what_is_read_from_the_hub_is_named(monkeypatch):
    """Name, revision and commit; and a branch of the hub for what is published as a program."""
    pytest.importorskip("datasets")
    asked = []

    class Builder:
        hash = "c0ffee"
        info = type("Info", (), {"splits": None})

        def download_and_prepare(self):
            pass

        def as_dataset(self, split):
            import datasets

            return datasets.Dataset.from_list(
                [{"_id": "1", "input": "?", "context": "c", "answers": ["a"]}]
            )

    def builder(**options):
        asked.append(options)
        return Builder()

    monkeypatch.setattr("datasets.load_dataset_builder", builder)
    data_sets._load.cache_clear()
    about = find("longbench")[0].about("test")
    copied = Chosen(data={"longbench": "someone/LongBench"}, revision="v1")
    others = find("longbench", copied)[0].about("test")
    assert asked == [
        {"path": "THUDM/LongBench", "data_dir": "narrativeqa", "revision": data_sets.PARQUET},
        {"path": "someone/LongBench", "name": "narrativeqa", "revision": "v1"},
    ]
    assert (about["data"], about["revision"], about["commit"]) == (
        "THUDM/LongBench",
        "refs/convert/parquet",
        "c0ffee",
    )
    assert (others["data"], others["revision"]) == ("someone/LongBench", "v1")
    with pytest.raises(DataError, match="has no column 'question_id', but _id, input, context"):
        items_of(find("pope")[0])
    data_sets._load.cache_clear()


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    data_sets._load.cache_clear()

    def unreachable(**_):
        raise ConnectionError("Couldn't reach 'lmms-lab/POPE' on the Hub (ConnectError)")

    monkeypatch.setattr(datasets, "load_dataset_builder", unreachable)
    with pytest.raises(DataError, match=r"the hub gives no data set .* Give a copy of it with --d"):
        items_of(find("pope")[0])
    monkeypatch.undo()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="cannot be read as a data set of the hub: "):
        items_of(find("pope", Chosen(data={"pope": str(tmp_path / "empty")}))[0])
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="not installed: pip install datasets"):
        items_of(find("mmstar")[0])


def test_what_was_chosen_must_fit_the_tasks():
    assert placed("pope", "/data/POPE") == ("pope", "/data/POPE")
    assert placed("pope", "pope=/data/POPE") == ("pope", "/data/POPE")
    assert placed("pope", "/data/a=b") == ("pope", "/data/a=b")
    assert placed("amber-generative", "images=/p") == ("images", "/p")
    with pytest.raises(
        DataError, match="--data /p names no data of amber-generative: write --data"
    ):
        placed("amber-generative", "/p")
    with pytest.raises(DataError, match="shapes draws its own questions, so there is no --data"):
        placed("shapes", "/p")
    with pytest.raises(DataError, match="draws its own questions, so there is no --prompt"):
        find("shapes", Chosen(prompt="cot"))
    with pytest.raises(DataError, match="There is no prompt 'cto' here: choose one of direct, cot"):
        find("pope", Chosen(prompt="cto"))
    with pytest.raises(DataError, match="reads files by their path, so there is no --revision"):
        find("coco-chair", Chosen(revision="main"))
    with pytest.raises(DataError, match="coco-chair reads files .* --data captions=PLACE"):
        find("coco-chair")
    with pytest.raises(MethodError, match="There is no task 'nope'"):
        placed("nope", "/p")


def test_every_benchmark_has_a_direct_prompt_first():
    for name, suite in available().items():
        if isinstance(suite, Benchmark):
            data = {place: "somewhere" for place in suite.places}
            for task in find(name, Chosen(data=data)):
                assert task.max_new_tokens > 0 and task.about is not None


def test_a_run_keeps_what_was_asked_and_how(tmp_path, capsys):
    """From the command line: settings, groups of questions, references, and the chat format."""
    path, out = tmp_path / "val.json", tmp_path / "out"
    path.write_text(json.dumps(QUAC_FILE))
    words = ["eval", "quac", "--data", str(path), "--prompt", "published-direct", "--out", str(out)]
    words += ["--model", str(CHECKPOINT), "--device", "cpu", "--method", "baseline"]
    assert cli.main(words) == 0
    found = json.loads((out / "results.json").read_text())
    told = found["settings"]["data"]["QuAC"]
    assert (told["prompt"], told["items"], len(told["sha256"])) == ("published-direct", 2, 64)
    assert found["tasks"]["QuAC"]["baseline"]["HEQ-D"]["items"] == 1
    assert "You are an expert at reading" in found["chat format"]["QuAC"]
    assert "{question}" in found["chat format"]["QuAC"]
    assert "asked with the prompt 'published-direct'" in capsys.readouterr().out
    records = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    assert records[-1]["reference"] == ["a Viking", "Rollo was a Viking", "a Viking"]
    assert cli.main([*words, "--limit", "2"]) == 2
    assert "holds a run with other settings" in capsys.readouterr().err
