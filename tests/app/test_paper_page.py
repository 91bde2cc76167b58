"""The page on the paper's tables: what it shows is what the records say; a cell opened; links; files that are wrong."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.results import paper_tables
from tasklab import zoo
from tasklab.cli import parser
from tasklab.paper.cells import fingerprint
from tasklab.paper.grid import METHODS, QUICK, Cell, cells_of, with_bases
from tasklab.paper.published import COLUMNS, PUBLISHED
from tasklab.paper.records import SHIPPED, read_record, record_file
from tasklab.system import System
from tests.app.live_parts import snippet
from tests.app.visitors import clean, sentences, visit
from tests.paper.small_cells import N, kinds, written

SMALL, LARGE = "small_cnn", "efficientnet_b0"
FILE = zoo.path("digits-rbc")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of records made here; nothing is in it, and nothing is shipped."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "shipped")
    monkeypatch.setattr(paper_tables, "OWN", folder)
    return folder


def cell(key: str, data: str = "digits", arch: str = SMALL, **more: Any) -> Cell:
    return Cell(data=data, arch=arch, method=METHODS[key], **more)


def fill(folder: Path, data: str = "digits", arch: str = SMALL, seed: int = 0, of_training: int = 0) -> None:
    """Records of both tables with numbers drawn at random, one system after the other masked, overstated, confirmed."""
    generator = torch.Generator().manual_seed(seed)
    both = [each for table in ("table1", "table2") for each in cells_of(table, [data], [arch], seed=of_training)]
    for place, each in enumerate(with_bases(both)):
        left, more, other = (int(v) for v in torch.randint(6, 45, (3,), generator=generator))
        claimed = left if place % 3 == 2 else left + more
        standing = {kind: range(claimed) for kind in kinds()} | {
            "fgsm": range(N - claimed - 3, N) if place % 3 == 0 else range(claimed), "worst": range(left),
            "clean": range(other, N)}
        written(folder, each, standing, zero=other + 10 if place % 3 == 0 else 3,
                card={"command": f"tasklab train --name {each.name}"})


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def plain(words: str) -> str:
    return re.sub(r"<[^>]+>", "", words).replace("&#x27;", "'")


def lead(at: AppTest) -> str:
    return plain(bodies(at).split('class="lab-lead">')[1].split("</p>")[0])


def grid(at: AppTest) -> dict[str, Any]:
    """What the table was given to show."""
    (printed,) = [json.loads(e.proto.json) for e in at.main.get("bidi_component")
                if e.proto.component_name == "tasklab_paper_grid"]
    return printed


def shown(at: AppTest) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["key"], place["key"]): place for row in grid(at)["rows"] for place in row["cells"]}


def text(place: dict[str, Any], kind: str) -> str | None:
    return next((bar["text"] for bar in place["bars"] if bar["kind"] == kind), None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("table", ["Table 1", "Table 2"])
def test_every_number_is_the_record_s(own: Path, table: str, seed: int) -> None:
    fill(own, seed=seed)
    at = visit("paper", paper_table=table)
    places = shown(at)
    cells = cells_of(table.replace("Table ", "table"), ["digits"], [SMALL])
    assert list(places) == [(each.method.name, str(column)) for each in cells for column in COLUMNS]
    for each in cells:
        record = read_record(own, each)
        assert record is not None
        for column in COLUMNS:
            here = [f for f in record.findings if f.asked.get("intensity", "") == column.intensity]
            (measured,) = [f for f in here if f.asked["kind"] == column.attack]
            place = places[each.method.name, str(column)]
            assert (text(place, "measured") or "").rstrip("↑↓≈") == f"{100 * measured.correct / N:.1f}"
            standing = torch.stack([f.images for f in here]).all(dim=0)
            left = None if column.attack == "clean" else f"{100 * int(standing.sum()) / N:.1f}"
            assert (text(place, "adaptive") or "").rstrip("↑↓≈") == (left or "")
            assert {bar["kind"] for bar in place["bars"]} <= {"measured", "adaptive"}, "the paper has no such network"
    words = [place["look"] for place in places.values() if place["look"]]
    assert len(words) == 24 and lead(at).startswith("24 numbers under attack: ")
    for word in ("masked", "overstated", "confirmed"):
        assert (f"{words.count(word)} {word}" in lead(at)) == bool(words.count(word))


def test_a_seed_is_chosen_among_those_with_records_and_all_of_them_count_in_the_conclusions(own: Path) -> None:
    fill(own)
    alone = visit("paper", paper_table="Table 2")
    assert "Seed" not in [each.label for each in alone.selectbox] and "of 2 seeds" not in bodies(alone)
    fill(own, seed=3, of_training=2)
    first, third = (visit("paper", paper_table="Table 2", paper_seed=seed) for seed in ("0", "2"))
    (control,) = [each for each in first.selectbox if each.label == "Seed"]
    assert control.options == ["0", "2"] and shown(first) == shown(alone) != shown(third)
    judged = [bodies(at).split('pap-claims">')[1].split("</tbody>")[0] for at in (first, third)]
    assert judged[0] == judged[1] and "of 2 seeds" in judged[0]
    assert sum(judged[0].count(f"{sign} {word}</td>") for sign, word in (
        ("●", "holds"), ("✕", "does not hold"), ("○", "cannot be told"))) == 8


@pytest.mark.parametrize("table", ["Table 1", "Table 2"])
def test_every_published_number_is_the_paper_s_and_its_absence_is_shown(own: Path, table: str) -> None:
    for data in ("mnist", "cifar10", "cifar100"):
        for title, arch in (("EfficientNet-B0", LARGE), ("ResNet-18", "resnet18")):
            at = visit("paper", paper_table=table, paper_data=data, paper_network=title)
            for (system, column), place in shown(at).items():
                (published,) = [str(number) for key, number in PUBLISHED.items()
                                if (*key[:3], str(key[3])) == (data, arch, system, column)] or [None]
                assert text(place, "published") == published and place["word"] == "○ not made"
            assert lead(at).endswith("all numbers are the paper's.")


def test_the_widest_gap_is_between_what_is_printed_and_what_all_attacks_leave(own: Path) -> None:
    for key, left in (("tra", 1), ("int", 20), ("rbc", 4)):
        written(own, cell(key, "mnist", LARGE), kinds(worst=range(left)), zero=50)
    at = visit("paper")
    assert at.segmented_control(key="paper_data").options[0] == "MNIST", "sets with results come first"
    assert lead(at).startswith("18 numbers under attack: 18 masked.")
    assert lead(at).endswith("The paper prints 99.27 % for RBC under FGSM II, and all attacks together leave 4.0 %.")
    written(own, cell("rbc", "mnist", LARGE), kinds())
    assert "The paper prints 99.13 % for INT under FGSM III, and all attacks together leave 20.0 %" in lead(at.run())
    assert "12 masked and 6 confirmed" in lead(at), "a file that has changed is read again"


def test_a_cell_is_opened_by_its_controls_and_says_everything_that_is_known_of_it(own: Path) -> None:
    written(own, cell("rbc"), kinds(pgd=range(64), worst=range(30, 90)), zero=61, card={
        "command": "tasklab train --task rbc", "recipe": {"epochs": 9}, "data": {"train": 1097}, "seconds": 3.0,
        "device": "cpu", "task": {"S": 350.0, "bits": 4}})
    at = visit("paper")
    assert grid(at)["selected"] == ["RBC", "PGD III"]
    body = plain(bodies(at))
    assert "Masked: the paper has no number, the same attack leaves 64.0 % here, and all attacks together leave " \
           "34.0 %, which is 30.0 points less. For 61.0 % of the images that the system classifies correctly, the " \
           "gradient of this attack was exactly 0." in body
    for words in ("64.0 %[54.2, 72.7]", "35.0 %[26.4, 44.7]", "1.0 %[0.2, 5.4]", "61.0 %[51.2, 70.0]", "n = 100"):
        assert words in body, words
    assert "Robust binary-label classification (S = 350, bits = 4); Small CNN; 9 epochs on 1,097 images; seed 0; " \
           "trained in 3 s (cpu)." in body
    assert [code.value for code in at.code] == [
        "tasklab train --task rbc", "tasklab paper table1 --data digits --arch small_cnn"]
    clean(at.selectbox(key="paper_column").set_value("LEG").run())
    assert "On all 100 clean test images, the paper has no number, and 100.0 % was measured here." in plain(bodies(at))
    clean(at.selectbox(key="paper_system").set_value("INT").run())
    assert grid(at)["selected"] == ["INT", "LEG"]
    assert "Not made: there is no record of it here." in plain(bodies(at))
    assert [code.value for code in at.code] == ["tasklab paper table1 --data digits --arch small_cnn"]


def test_a_question_that_was_not_asked_is_named(own: Path) -> None:
    written(own, cell("rbc"), kinds(), left_out=("worst", "pgd"))
    places = shown(visit("paper"))
    assert places["RBC", "FGSM I"]["word"] == "○ adaptive not made" and places["RBC", "PGD I"]["word"] == "○ not made"
    at = visit("paper", paper_column="PGD I")
    assert "its system is there, but this was not measured" in bodies(at)
    assert "no attack on the decision was made yet" in lead(at)


def test_retraining_is_compared_with_the_system_before(own: Path) -> None:
    written(own, cell("rbc"), kinds(pgd=range(50), worst=range(10)))
    written(own, cell("rbc-at"), kinds(pgd=range(20), worst=range(40)))
    at = visit("paper", paper_table="Table 2")
    assert text(shown(at)["RBC+AT", "PGD III"], "measured") == "20.0↓"
    assert "Retraining lowered the measured number and raised what all attacks together leave." in bodies(at)


def test_what_is_made_here_hides_what_is_shipped_and_quick_records_stand_in(own: Path) -> None:
    shipped = zoo.folder() / SHIPPED
    written(own, cell("rbc", scale=QUICK), kinds(pgd=range(10)))
    at = visit("paper")
    assert text(shown(at)["RBC", "PGD I"], "measured") == "10.0"
    assert at.code[-1].value.endswith("--quick")
    written(shipped, cell("rbc"), kinds(pgd=range(20)))
    assert text(shown(at.run())["RBC", "PGD I"], "measured") == "20.0"
    written(own, cell("rbc"), kinds(pgd=range(30)))
    assert text(shown(at.run())["RBC", "PGD I"], "measured") == "30.0"


def test_records_are_looked_for_where_the_command_keeps_them() -> None:
    assert parser().parse_args(["paper", "table1"]).to / "cells" == paper_tables.OWN


SPOILS = {
    "cut": lambda told: json.dumps(told)[:200],
    "no JSON": lambda told: "\x00\xff",
    "a list": lambda told: json.dumps([told]),
    "another format": lambda told: json.dumps(told | {"format": 99}),
    "no findings": lambda told: json.dumps({k: v for k, v in told.items() if k != "findings"}),
    "a card of words": lambda told: json.dumps(told | {"card": "<b>none</b>"}),
    "more correct than images": lambda told: json.dumps(
        told | {"findings": [told["findings"][0] | {"correct": 10_000}, *told["findings"][1:]]}),
    "another number of images": lambda told: json.dumps(
        told | {"findings": [*told["findings"][:-1], told["findings"][-1] | {"wrong": 3, "abnormal": 50}]}),
    "more without a gradient than images": lambda told: json.dumps(
        told | {"findings": [*told["findings"][:-1], told["findings"][-1] | {"zero_gradient": 101}]}),
    "more images than a machine holds": lambda told: json.dumps(
        told | {"findings": [told["findings"][0] | {"abnormal": 10**30}, *told["findings"][1:]]}),
    "nested without end": lambda told: "[" * 100_000,
    "a size that is no number": lambda told: json.dumps(
        told | {"findings": [told["findings"][0] | {"asked": {"n": []}}]}),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_record_is_one_sentence_and_the_others_are_shown(own: Path, spoil: str) -> None:
    written(own, cell("tra"), kinds(pgd=range(30)))
    written(own, cell("rbc"), kinds())
    file = record_file(own, cell("rbc"))
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(SPOILS[spoil](content), encoding="utf-8")
    at = visit("paper")
    (sentence,) = sentences(at)
    assert "The record of digits-small-rbc is damaged" in sentence
    places = shown(at)
    assert text(places["TRA", "PGD I"], "measured") == "30.0" and places["RBC", "PGD I"]["word"] == "○ not made"


@pytest.mark.parametrize("card", [
    {"recipe": 3, "task": [1], "data": None, "seconds": "long", "command": 5, "device": None},
    {"recipe": {"epochs": "<script>"}, "data": {"train": "all"}, "task": {"S": "big"}},
    {"task": {"S": 10**400, "bits": float("inf"), "alpha": float("nan")}},
])
def test_a_card_with_odd_parts_is_shown_without_them(own: Path, card: dict[str, Any]) -> None:
    written(own, cell("rbc"), kinds(), card=card)
    assert "<script>" not in bodies(visit("paper")) and not sentences(visit("paper"))


def test_values_that_mean_nothing_are_forgotten(own: Path) -> None:
    at = visit("paper", paper_table="Table 9", paper_data="svhn", paper_network="VGG", paper_system="SVM",
               paper_column="CW")
    assert grid(at)["selected"] == ["RBC", "PGD III"] and not sentences(at)
    empty = visit("paper", paper_table="", paper_data="", paper_network="", paper_system="", paper_column="")
    assert grid(empty)["selected"] == ["RBC", "PGD III"] and not sentences(empty)
    clean(at.selectbox(key="paper_system").set_value("INT").run())
    clean(at.segmented_control(key="paper_table").set_value("Table 2").run())
    assert grid(at)["selected"] == ["RBC+AT", "PGD III"], "INT is not in this table"
    clean(at.segmented_control(key="paper_data").set_value("digits").run())
    assert at.selectbox(key="paper_network").options == ["Small CNN"], "nobody has numbers for others"


def test_a_link_of_the_library_opens_its_data_set(own: Path) -> None:
    at = visit("paper", data="cifar100", eps="0.1")
    assert at.segmented_control(key="paper_data").value == "cifar100"
    clean(at.segmented_control(key="paper_data").set_value("mnist").run())
    assert at.segmented_control(key="paper_data").value == "mnist"
    assert visit("paper", data="cifar10", paper_data="cifar100").segmented_control(key="paper_data").value == "cifar100"


def test_each_step_of_the_lesson_says_what_the_opened_cell_says(own: Path) -> None:
    seen = []
    for seed in (0, 1):
        fill(own, seed=seed)
        at, steps = visit("paper"), []
        for _ in range(6):
            clean(at.button(key="paper_next").click().run())
            words = plain(bodies(at).split('aria-live="polite">')[1].split("</p>")[0]).replace("\xa0", " ")
            system, column = grid(at)["selected"]
            place = shown(at)[system, column]
            steps.append(words)
            assert f"{system} under {column} (ε = " in words and place["look"].capitalize() in words
            for kind in ("measured", "adaptive"):
                assert f"leave{'s' * (kind == 'measured')} {(text(place, kind) or '').rstrip('↑↓≈')} %" in words
        assert len(set(steps)) == 6
        seen.append(steps)
    assert all(first != second for first, second in zip(*seen, strict=True)), "with other records it says other things"


def test_the_snippet_gives_the_numbers_of_the_page(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(own)
    at = visit("paper", paper_table="Table 2")
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    for _, line in space["table"].iterrows():
        place = shown(at)[line["system"], line["column"]]
        assert text(place, "measured") == f"{100 * line['measured']:.1f}{line['measured arrow']}"
        assert place["look"] == line["word"]


def test_a_shipped_system_leads_to_the_attack_lab_if_it_has_the_same_weights(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(own, cell("rbc"), kinds())
    assert "attack lab" not in bodies(visit("paper")), "no such system is shipped"
    systems = tmp_path / "systems"
    systems.mkdir()
    shutil.copy(FILE, systems / "digits-small-rbc.safetensors")
    monkeypatch.setenv("TASKLAB_ZOO", str(systems))
    assert "attack lab" not in bodies(visit("paper")), "it has other weights"
    weights = fingerprint(System.load(systems / "digits-small-rbc.safetensors"))
    written(own, cell("rbc"), kinds(), weights=weights)
    body = bodies(visit("paper"))
    assert "Open this system in the attack lab at ε = 0.3" in body
    query = body.split('href="./attack_lab?')[1].split('"')[0].replace("&amp;", "&")
    lab = visit("attack_lab", **dict(part.split("=") for part in query.split("&")))
    assert lab.multiselect(key="systems").value == ["small-rbc"] and lab.slider(key="eps").value == 0.3
    assert "eps" not in bodies(visit("paper", paper_column="LEG")).split('href="./attack_lab?')[1].split('"')[0]
    (systems / "digits-small-rbc.safetensors").write_bytes(b"cut")
    assert "attack lab" not in bodies(visit("paper")), "a file that is damaged opens nothing"


def test_the_page_shows_what_is_shipped() -> None:
    for data in paper_tables.DATA:
        at = visit("paper", paper_data=data)
        assert not sentences(at) and len(shown(at)) == 28
        for network in at.selectbox(key="paper_network").options:
            for table in ("Table 1", "Table 2"):
                at = visit("paper", paper_data=data, paper_network=network, paper_table=table)
                assert not sentences(at) and len(shown(at)) == 28


def test_without_any_record_the_first_view_is_the_paper_s_table(own: Path) -> None:
    at = visit("paper")
    assert lead(at) == "No system of this table was made here for MNIST with EfficientNet-B0: all numbers are the " \
                       "paper's."
    assert not os.listdir(own) and text(shown(at)["RBC", "PGD III"], "published") == "97.90"
    at.session_state["lecture"] = True
    clean(at.run())
    assert "Code, link, files" not in [bar.label for bar in at.expander], "lecture mode has no bar of downloads"
