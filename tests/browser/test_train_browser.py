"""Training as a person has it: started, stopped, found again after a reload, seen by nobody else, brought back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasklab import zoo
from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit

PATIENCE = 240_000
ENDLESS = "train?train_epochs=100&train_width=64&train_defence=adversarial&train_inner_steps=4"  # of minutes
EPOCHS = "() => [...document.body.innerText.matchAll(/epoch (\\d+) of 100/g)].map(found => Number(found[1]))"
COUNTED = """text => {
    const count = () => document.evaluate(`count(//p[.="${text}"])`, document).numberValue;
    window.most = count();
    new MutationObserver(() => { window.most = Math.max(window.most, count()); })
        .observe(document.body, {childList: true, subtree: true});
}"""
"""Keep in ``window.most`` how often a paragraph with this text has stood on the page at once."""

@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(TASKLAB_JOBS=str(tmp_path_factory.mktemp("jobs"))) as address:
        yield address


def start(tab: Visit) -> None:
    press(tab, "▶ Train")
    tab.page.get_by_text("Training of").wait_for(timeout=PATIENCE)


def press(tab: Visit, name: str) -> None:
    """Click a button of the page, once the page rests."""
    settled(tab.page)
    tab.page.wait_for_timeout(1000)
    tab.page.get_by_test_id("stMain").get_by_role("button", name=name).first.click()


def watch_until(tab: Visit, epoch: int) -> None:
    """Look on until so many epochs are over; on a busy machine the page may jump over a number."""
    tab.page.wait_for_function(f"least => ({EPOCHS})().some(epoch => epoch >= least)", arg=epoch, timeout=PATIENCE)


def bring(tab: Visit, file: Path) -> None:
    """Give a file to the page, once what stood there before is gone."""
    tab.page.wait_for_function("document.querySelectorAll('input[type=file]').length === 1", timeout=PATIENCE)
    tab.page.locator("input[type=file]").set_input_files(str(file))


def stop(tab: Visit) -> None:
    """Stop the training, as a person does on a page drawn each second: a click that is not heard comes again."""
    text = tab.page.get_by_text("It will stop in a moment").or_(tab.page.get_by_text("■ stopped"))
    for second in range(120):
        if text.count():
            break
        if second % 15 == 0:
            tab.page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
        tab.page.wait_for_timeout(1000)
    tab.page.get_by_text("■ stopped").wait_for(timeout=PATIENCE)


def test_started_found_again_hidden_from_others_stopped_and_resumed(visit: Any) -> None:
    tab = visit(ENDLESS)
    start(tab)
    watch_until(tab, 3)  # it moves without a click
    [cookie] = [each for each in tab.context.cookies() if each["name"] == "tasklab_visitor"]
    assert cookie["sameSite"] == "Strict"
    assert len(cookie["value"]) == 43

    tab.page.reload()
    settled(tab.page)
    tab.page.get_by_text("Training of").wait_for(timeout=PATIENCE)
    assert tab.page.get_by_test_id("stMain").get_by_role("button", name="Stop").is_visible()

    other = visit("train")
    assert other.page.get_by_text("Training of").count() == 0
    other.page.get_by_role("combobox", name="On the right").click()
    assert other.page.get_by_role("option", name="my-rbc").count() == 0
    other.close()

    second = tab.context.new_page()  # another tab of the same person
    second.goto(tab.page.url)
    settled(second)
    assert second.get_by_text("Training of").count() == 1
    second.close()

    reached = max(tab.page.evaluate(EPOCHS))
    stop(tab)
    press(tab, "Resume")
    watch_until(tab, reached + 1)
    stop(tab)
    press(tab, "Remove")
    tab.page.get_by_text("Training of").wait_for(state="detached", timeout=PATIENCE)
    assert tab.errors == []
    assert tab.elsewhere == []


def test_trained_attacked_taken_away_and_brought_back(visit: Any, tmp_path: Path) -> None:
    tab = visit("train?train_epochs=1&train_n_digits=200&train_width=4")
    press(tab, "▶ Train")
    tab.page.get_by_role("button", name="Attack it").wait_for(timeout=PATIENCE)
    settled(tab.page)
    with tab.page.expect_download() as waiting:
        tab.page.get_by_role("button", name="Download").first.click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name == "digits-my-rbc-s350.safetensors"
    assert zoo.card(file.stem, where=tmp_path)["name"] == "digits-my-rbc-s350"

    tab.page.evaluate(COUNTED, "Bring a system")
    press(tab, "Remove")
    tab.page.get_by_role("button", name="Attack it").wait_for(state="detached", timeout=PATIENCE)
    settled(tab.page)
    assert tab.page.evaluate("window.most") == 1, "what stands below a removed system was seen twice"
    tab.page.get_by_text("Bring a system").click()
    bring(tab, file)
    tab.page.get_by_role("button", name="Attack it").wait_for(timeout=PATIENCE)
    press(tab, "Attack it")
    tab.page.wait_for_url("**/attack_lab*", timeout=PATIENCE)
    settled(tab.page)
    assert tab.page.get_by_text("my-rbc-s350").first.is_visible()
    assert tab.errors == []


def test_nonsense_that_is_brought_is_one_sentence(visit: Any, tmp_path: Path) -> None:
    (tmp_path / "up.safetensors").write_text("this is no system", encoding="utf-8")
    tab = visit("train")
    tab.page.get_by_text("Bring a system").click()
    bring(tab, tmp_path / "up.safetensors")
    text = tab.page.get_by_text("This is not a whole system")
    text.wait_for(timeout=PATIENCE)
    assert "Traceback" not in tab.page.content()
    assert str(tmp_path) not in text.inner_text()


def test_no_serious_obstacle_while_a_job_runs(visit: Any) -> None:
    tab = visit(ENDLESS)
    start(tab)
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.get_by_text("More settings").click()
    watch_until(tab, 2)
    serious = [line for line in tab.violations_in_both() if line.split(": ")[1].startswith(("serious", "critical"))]
    stop(tab)
    assert serious == []


def test_it_fits_a_phone(visit: Any) -> None:
    tab = visit("train", viewport={"width": 390, "height": 844})
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = tab.page.evaluate(
        "[...document.querySelectorAll('.lab-page, .stPlotlyChart, .lab-key')]"
        ".filter(e => e.getBoundingClientRect().right > 391).length"
    )
    assert wide == 0
