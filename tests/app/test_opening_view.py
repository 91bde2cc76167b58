"""What a person sees who opens the app and touches nothing, with the shipped systems."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.controls import PICTURE
from tasklab import data, zoo

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"


@pytest.mark.parametrize("dataset", PICTURE)
def test_the_opening_view_shows_that_the_aim_makes_the_difference(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    if not data.available(dataset):
        pytest.skip(f"{dataset} is not under TASKLAB_DATA")
    if not {f"{dataset}-{key}" for key in ("tra", "deepbe", "int", "rbc")} <= set(zoo.names()):
        pytest.skip(f"no systems of {dataset} are shipped")
    threads = torch.get_num_threads()
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.query_params["data"] = dataset
    at.switch_page("app_pages/attack_lab.py")
    at.run()
    torch.set_num_threads(threads)
    assert not at.exception
    page = "".join(e.proto.body for e in at.main.get("html"))
    assert "Aimed at the training loss, the attack breaks <b>2 of 4</b>" in page
    assert "Aimed at the decision margin, the attack breaks <b>4 of 4</b>" in page
    own, margin = page.split("Aimed at the decision margin</h2>")
    assert (own.count("Gradient exactly zero"), margin.count("Gradient exactly zero")) == (2, 0)
    assert [c.value.endswith("exactly 0 in 2 of 4") for c in at.caption if "objective" in c.value] == [True, False]
