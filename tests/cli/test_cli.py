"""Each command does what it says, and a user's mistake ends in one sentence and an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tasklab import data
from tasklab.cli import main, parser
from tasklab.cli.common import eps_asked
from tasklab.jobs import Job, JobError
from tasklab.jobs.training import RESULT
from tasklab.system import System
from tasklab.tasks import TRA

TINY = ["--data", "digits", "--n", "400", "--width", "8", "--batch-size", "40", "--attacked", "20", "--eps", "0.2"]


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two systems, made by the command itself."""
    folder = tmp_path_factory.mktemp("systems")
    for task in ("tra", "rbc"):
        code = main(["train", *TINY, "--task", task, "--epochs", "6", "--to", str(folder),
                     "--run", str(folder / "runs" / task), "--store", "float16"])
        assert code == 0
    return folder


def test_train_writes_a_system_whose_card_tells_the_truth(made: Path) -> None:
    system = System.load(made / "digits-rbc.safetensors")
    test = data.load("digits", "test")
    accuracy = float((system.predict(test.x()) == test.labels).float().mean())
    clean = system.card["metrics"][0]
    assert clean["accuracy"] == pytest.approx(accuracy) and clean["n"] == len(test)
    assert accuracy > 0.6
    assert clean["low"] < accuracy < clean["high"]
    assert system.card["stored"] == "float16" and 0 <= system.card["float32_accuracy"] <= 1
    own, margin, bits = system.card["metrics"][1:]
    assert [row["objective"] for row in (own, margin, bits)] == ["train", "margin", "bits"]
    assert margin["n"] == 20 and min(margin["accuracy"], bits["accuracy"]) <= own["accuracy"]
    page = (made / "digits-rbc.md").read_text(encoding="utf-8")
    assert f"{100 * accuracy:.2f}" in page and "tasklab" in system.card["command"]


def test_seeds_are_trained_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("train", *TINY, "--epochs", "1", "--seeds", "2", "--to", str(tmp_path), "--json",
                       "--run", str(tmp_path / "run"), capsys=capsys)
    card = json.loads(out)
    assert code == 0 and set(card["seeds"]) == {"0", "1"}
    assert card["seeds"]["0"] == card["float32_accuracy"]


def test_attack_prints_what_the_library_finds(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tasklab.attacks import PGD, attack

    file = str(made / "digits-rbc.safetensors")
    code, out, _ = run("attack", file, "--n", "30", "--eps", "0.2", "--steps", "5", "--json", capsys=capsys)
    test = data.load("digits", "test").subset(30)
    result = attack(System.load(file), test.x(), test.labels, PGD(eps=0.2, steps=5))
    content = json.loads(out)
    assert code == 0 and content["fooled"] == int(result.fooled.sum()) > 0
    assert content["objective"] == "margin" and content["n"] == 30


@pytest.mark.parametrize("kind", ["fgsm", "apgd", "square", "noise", "fab", "cw", "hopskipjump"])
def test_every_attack_has_a_name(kind: str, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attack", str(made / "digits-rbc.safetensors"), "--n", "4", "--eps", "0.3", "--attack", kind, "--json"]
    steps = [] if kind == "fgsm" else ["--steps", "6"]
    code, out, _ = run(*words, *steps, capsys=capsys)
    assert code == 0 and json.loads(out)["attack"] == kind


def test_attack_saves_pictures_of_what_it_did(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np
    from PIL import Image

    code, _, _ = run("attack", str(made / "digits-tra.safetensors"), "--n", "3", "--eps", "8/255",
                     "--pictures", str(tmp_path / "p"), capsys=capsys)
    record = json.loads((tmp_path / "p" / "pictures.json").read_text(encoding="utf-8"))
    assert code == 0 and len(record) == 3
    picture = np.asarray(Image.open(tmp_path / "p" / record[0]["file"]), dtype=np.int64)
    clean, attacked = picture[4:64:8, 4:64:8], picture[4:64:8, 68:128:8]
    assert np.array_equal(clean, data.load("digits", "test").images[0, 0].numpy())
    assert 1 <= np.abs(attacked - clean).max() <= 8


def test_evaluate_as_markdown_csv_and_json(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", *(str(made / f"digits-{task}.safetensors") for task in ("tra", "rbc")),
             "--n", "20", "--eps", "0.1", "0.3", "--steps", "3"]
    _, markdown, _ = run(*words, capsys=capsys)
    _, csv, _ = run(*words, "--csv", capsys=capsys)
    _, text, _ = run(*words, "--json", capsys=capsys)
    rows = json.loads(text)
    assert len(rows) == 2 * (1 + 2 * 2)
    assert len(csv.splitlines()) == 1 + len(rows) and len(markdown.splitlines()) == 2 + len(rows)
    with pytest.raises(SystemExit):
        main([*words, "--csv", "--json"])
    assert "--json: not allowed with argument --csv" in capsys.readouterr().err
    for row in rows:
        assert row["correct"] + row["wrong"] + row["abnormal"] == pytest.approx(1)


def test_transfer_shows_each_systems_images_to_the_others(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(made / f"digits-{task}.safetensors") for task in ("tra", "rbc")]
    code, out, _ = run("transfer", *files, "--n", "30", "--eps", "0.3", "--steps", "5", "--json", capsys=capsys)
    cells = json.loads(out)
    assert code == 0 and {(cell["threat"], cell["victim"]) for cell in cells} == {(a, b) for a in files for b in files}
    _, out, _ = run("transfer", *files, "--n", "30", "--steps", "5", "--images", "threat", capsys=capsys)
    lines = out.strip().splitlines()
    assert lines[0] == f"| threat | {files[0]} | {files[1]} | unmoved % | gradient 0 % |"
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [*files, "noise"]


def test_check_flags_what_the_attack_did_not_try(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", str(made / "digits-rbc.safetensors"), "--n", "20", "--eps", "0.2", "--steps", "5",
             "--queries", "5"]
    code, text, _ = run(*words, "--json", capsys=capsys)
    report = json.loads(text)
    assert code == 0 and report["objective"] == "train" and len(report["checks"]) == 9
    assert report["lowest"] <= report["accuracy"]
    _, page, _ = run(*words, capsys=capsys)
    assert report["sentence"] in page


def test_worst_tells_each_stage_and_goes_on_from_its_folder(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["worst", str(made / "digits-rbc.safetensors"), "--n", "20", "--eps", "0.2", "--run", str(tmp_path / "w"),
             "--sources", str(made / "digits-tra.safetensors")]
    code, text, err = run(*words, "--json", capsys=capsys)
    printed = json.loads(text)
    assert code == 0 and printed["correct"] + printed["wrong"] + printed["abnormal"] == 20
    assert printed["stages"][0]["name"].startswith("transfer from") and "stand" in err
    _, again, _ = run(*words, "--json", capsys=capsys)
    assert json.loads(again) == printed, "every stage was kept: nothing is run again, its seconds included"


def test_worst_of_several_is_a_table(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["worst", str(made / "digits-rbc.safetensors"), str(made / "digits-tra.safetensors"), "--n", "10",
             "--eps", "0.1", "0.2", "--run", str(tmp_path)]
    code, text, _ = run(*words, capsys=capsys)
    assert code == 0 and len(text.strip().splitlines()) == 2 + 4 and "| digits-tra | 0.2 |" in text
    rows = json.loads(run(*words, "--json", capsys=capsys)[1])
    assert [(row["system"], row["eps"]) for row in rows] == [
        (name, eps) for name in ("digits-rbc", "digits-tra") for eps in (0.1, 0.2)
    ]
    code, _, err = run(*words, "--sources", str(made / "digits-tra.safetensors"), capsys=capsys)
    assert code == 2 and "try one system" in err


def test_show_list_and_data(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run("show", str(made / "digits-tra.safetensors"), capsys=capsys)
    assert page.strip() == (made / "digits-tra.md").read_text(encoding="utf-8").strip()
    _, listed, _ = run("list", "--zoo", str(made), "--json", capsys=capsys)
    assert json.loads(listed)["systems"] == ["digits-rbc", "digits-tra"]
    _, catalogue, _ = run("list", "--zoo", str(made), "--catalogue", capsys=capsys)
    assert "[digits-rbc](digits-rbc.md)" in catalogue
    _, sets, _ = run("data", "--json", capsys=capsys)
    assert {row["name"]: row["available"] for row in json.loads(sets)}["digits"] is True


@pytest.mark.parametrize(
    ("words", "described"),
    [
        (["attack", "no-such-system"], "expected a system among"),
        (["attack", "missing.safetensors"], "nothing there"),
        (["attack", "{rbc}", "--objective", "up"], "try objective='margin'"),
        (["attack", "{rbc}", "--device", "cuda:99"], "--device cpu"),
        (["attack", "{rbc}", "--target", "12"], "expected labels in 0..9"),
        (["data", "nonsense"], "expected a set among"),
        (["show", "nonsense"], "expected a system among"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    words: list[str], described: str, made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*(word.format(rbc=made / "digits-rbc.safetensors") for word in words), capsys=capsys)
    assert code == 1 and not out
    assert err.startswith("tasklab: ") and described in err and "Traceback" not in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(("words", "described"), [
    (["--attack", "cw", "--steps", "3"], "3 searches"),
    (["--attack", "square", "--norm", "l2", "--steps", "5"], "the norm is linf and not l2"),
    (["--attack", "fab", "--criterion", "evaded", "--steps", "2"], "towards_code"),
    (["--attack", "fab", "--target", "3", "--steps", "2"], "follows “margin”"),
    (["--attack", "apgd", "--keep", "last", "--steps", "2"], "not the last"),
    (["--target", "3", "--steps", "2"], "of class 3, the target, and left out"),
])
def test_options_that_contradict_each_other_are_settled_and_said(
    words: list[str], described: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("attack", str(made / "digits-rbc.safetensors"), "--n", "20", "--json", *words, capsys=capsys)
    assert code == 0 and described in err
    assert json.loads(out)["n"] == (16 if "--target" in words else 20)


@pytest.mark.parametrize("words", [[], ["nonsense"], ["attack"], ["attack", "x", "--eps", "a/b"]])
def test_wrong_usage_is_exit_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_absent_data_names_the_command_that_brings_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run("train", "--data", "mnist", "--root", str(tmp_path), capsys=capsys)
    assert code == 1 and "tasklab data mnist" in err


def epochs(folder: Path) -> list[int]:
    """The finished epochs of a training run."""
    try:
        return [event["epoch"] for event in Job(folder / "digits-rbc").events() if event["event"] == "epoch"]
    except JobError:
        return []


def test_ctrl_c_leaves_a_run_that_ends_where_it_would_have(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasklab", "train", *TINY, "--epochs", "24", "--to", str(tmp_path)]
    stopped = subprocess.Popen([*command, "--run", str(tmp_path / "a")], stderr=subprocess.PIPE, encoding="utf-8",
                               env=os.environ | {"OMP_NUM_THREADS": "1"},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # else a shell's
    deadline = time.monotonic() + 120
    while not epochs(tmp_path / "a") and time.monotonic() < deadline:
        time.sleep(0.02)
    stopped.send_signal(signal.SIGINT)
    _, err = stopped.communicate(timeout=120)
    assert stopped.returncode == 130 and "goes on from" in err and "Traceback" not in err
    done = epochs(tmp_path / "a")
    assert 0 < len(done) < 24 and [line.split(":")[0] for line in err.splitlines()[:-1]] == [
        f"epoch {number}/24" for number in done]
    for folder in ("a", "b"):
        subprocess.run([*command, "--run", str(tmp_path / folder)], check=True, capture_output=True, timeout=300,
                       env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert epochs(tmp_path / "a") == epochs(tmp_path / "b") == list(range(1, 25))
    one, other = (System.load(tmp_path / folder / "digits-rbc" / RESULT) for folder in ("a", "b"))
    weights = other.network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in one.network.state_dict().items())


def test_a_reader_that_goes_away_is_no_error() -> None:
    broken = subprocess.run(f"{sys.executable} -m tasklab list | true", shell=True, capture_output=True,
                            encoding="utf-8", check=False)
    assert "Traceback" not in broken.stderr and "Broken" not in broken.stderr


@pytest.mark.parametrize(
    ("words", "dataset", "radii"),
    [
        (["attack", "it"], "digits", [0.1]),
        (["attack", "it"], "cifar10", [3 / 255]),
        (["check", "it", "--eps", "8/255"], "cifar10", [8 / 255]),
        (["worst", "it", "--eps", "0.1", "0.2"], "mnist", [0.1, 0.2]),
        (["evaluate", "it", "--eps"], "mnist", []),
    ],
)
def test_where_no_eps_is_asked_for_it_is_the_smallest(words: list[str], dataset: str, radii: list[float]) -> None:
    system = System(torch.nn.Linear(2, 10), TRA(num_classes=10), card={"data": {"name": dataset}})
    assert eps_asked(parser().parse_args(words), system) == radii
