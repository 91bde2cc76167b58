"""Jobs on a Ray cluster of two nodes on this machine: what dies is made all the same, once, with the same numbers."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_kinds import KINDS, KINDS_HERE, numbers, until

from lab_ui.visitor.scheduler import Scheduler
from tasklab.cli import main
from tasklab.jobs import Job
from tasklab.jobs.executing import Assignment, InTurn
from tasklab.jobs.sweeping import Sweep
from tasklab.jobs.training import RESULT
from tasklab.jobs.training_settings import Training
from tasklab.paper import grid
from tasklab.system import System
from tasklab.training import Recipe

ray = pytest.importorskip("ray", reason="needs Ray, the extra “cluster”, which has no wheel for every platform")
from ray.cluster_utils import Cluster  # noqa: E402

from tasklab.jobs.cluster import OnRay  # noqa: E402
from tasklab.jobs.worker import TRIES  # noqa: E402

NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
BASE = Training(n=200, width=4, attacked=10, eps=(0.1,), recipe=Recipe(epochs=3, batch_size=40))


def two_nodes(tries: int = 3) -> Any:
    """A cluster; Ray gives each node half a minute to begin, which may be too short on a busy machine."""
    made = Cluster()
    try:
        made.add_node(**NODE, include_dashboard=False)
        made.add_node(**NODE)
    except Exception:
        made.shutdown()
        if tries == 1:
            raise
        return two_nodes(tries - 1)
    return made


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a processor each; their workers know the kinds of jobs of these tests."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, [Path(__file__).parent, Path(__file__).parents[2]]))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = two_nodes()
    try:
        ray.init(address=made.address, log_to_driver=False,
                 runtime_env={"worker_process_setup_hook": "small_kinds.register"})
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in KINDS_HERE.items():
        monkeypatch.setitem(KINDS, name, module)


def counts(folder: Path, *settings: dict[str, Any]) -> list[Assignment]:
    return [Assignment(job=Job.create(folder / f"count{index}", "count", each)) for index, each in enumerate(settings)]


def begun(job: Job) -> int:
    return sum(event["event"] == "begin" for event in job.events())


def test_what_kills_its_worker_is_tried_three_times_and_the_rest_goes_on(tmp_path: Path, cluster: Any) -> None:
    jobs = counts(tmp_path, {"fail_at": 4, "how": "killed"}, {"to": 3}, {"fail_at": 2}, {"to": 2}, {"to": 1})
    jobs[3], jobs[4] = (dataclasses.replace(jobs[at], after=(jobs[need].name,)) for at, need in ((3, 0), (4, 1)))
    events = list(OnRay(cluster.address).carry_out(jobs))
    ends = {event["name"]: event["state"] for event in events if event["event"] == "ended"}
    assert ends == {"count0": "failed", "count1": "done", "count2": "failed", "count3": "left out", "count4": "done"}
    killed, counted, failed = (each.job for each in jobs[:3])
    assert begun(killed) == TRIES and numbers(killed.events()) == [1, 2, 3], "each time from what was kept"
    assert killed.outcome is not None and failed.outcome is not None
    assert killed.outcome.message.startswith("Its worker died 3 times; the end of its log: ")
    assert killed.outcome.message.endswith("no memory for 4")
    assert failed.outcome.message == "expected a number that counts, got none; try 3." and begun(failed) == 1
    assert [event["step"] for event in events if event["name"] == "count1" and event["event"] == "number"] == [1, 2, 3]
    assert numbers(counted.events()) == [1, 2, 3]
    assert all(event["where"] for event in events if event["event"] == "begin")


def test_who_stops_consuming_leaves_jobs_that_go_on_even_without_ray(tmp_path: Path, cluster: Any) -> None:
    jobs = counts(tmp_path, {"to": 4000, "seconds": 0.05})
    events = OnRay(cluster.address).carry_out(jobs)
    for event in events:
        if event.get("step") == 5:
            break
    events.close()  # type: ignore[attr-defined]
    assert jobs[0].job.state == "interrupted"
    for event in InTurn().carry_out(jobs):
        if event.get("step", 0) > 5 and begun(jobs[0].job) == 2:
            break
    counted = numbers(jobs[0].job.events())
    assert len(counted) >= 6 and counted == list(range(1, len(counted) + 1))


def test_a_task_can_be_asked_to_give_way_to_stop_and_be_killed(tmp_path: Path, cluster: Any) -> None:
    """What the app asks of the processes of its jobs."""
    jobs = [each.job for each in counts(tmp_path, *[{"to": 4000, "seconds": 0.05}] * 2)]
    tasks = [OnRay(cluster.address).hand_over(job) for job in jobs]
    until(lambda: all(numbers(job.events()) for job in jobs))
    assert [task.poll() for task in tasks] == [None, None]
    tasks[0].give_way()
    jobs[1].stop()
    assert [task.wait(60) for task in tasks] == [4, 3]
    assert [job.state for job in jobs] == ["interrupted", "stopped"]
    jobs[0].resume()
    task = OnRay(cluster.address).hand_over(jobs[0])
    until(lambda: begun(jobs[0]) == 2)
    task.kill()
    assert task.wait(60) is not None and task.returncode != 0


def test_the_app_s_queue_hands_its_jobs_over_and_none_of_it_changes(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress and stop; a job gives way to another visitor's and goes on; nothing is computed on the server."""
    code = ("import sys; from small_kinds import register; register(); from tasklab.jobs.__main__ import main; "
            "import tasklab.jobs.cluster as it; it.connect = lambda address: __import__('ray').init(address, "
            "log_to_driver=False, runtime_env={'worker_process_setup_hook': 'small_kinds.register'}); "
            "raise SystemExit(main(sys.argv[1:]))")
    monkeypatch.setenv("TASKLAB_RAY", cluster.address)
    queue = Scheduler(tmp_path, at_once=1, command=(sys.executable, "-c", code))
    queue.turns.turn = 0.1
    try:
        first = queue.submit("ann", "count", {"to": 4000, "seconds": 0.05})
        until(lambda: len(numbers(first.events())) > 3)
        other = queue.submit("bob", "count", {"to": 3})
        until(lambda: queue.state(other) == "running")
        queue.turns.turn = 60.0
        until(lambda: queue.state(other) == "done")
        until(lambda: begun(first) >= 2 and not first.waits)
        queue.stop(first)
        until(lambda: queue.state(first) == "stopped")
        assert numbers(first.events()) == list(range(1, len(numbers(first.events())) + 1)), "it went on where it was"
    finally:
        queue.close()
    assert all(event["where"] for event in first.events() if event["event"] == "begin")


def test_a_worst_case_in_shards_is_that_of_one_process(
    tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As commands, one of them with shared storage and a view for machines.

    `tests/evaluation/test_shards.py` compares image by image.
    """
    store = tmp_path / "store"
    words = ["worst", "digits-rbc", "--n", "20", "--eps", "0.1", "--json"]
    outs = []
    on_ray = ["--run", str(tmp_path / "ray"), "--ray", cluster.address, "--storage", store.as_uri()]
    for more in (["--run", str(tmp_path / "one")], on_ray):
        assert main([*words, *more]) == 0
        out, err = capsys.readouterr()
        outs.append(json.loads(out))
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {line["state"] for line in lines} >= {"running", "done"} and all(line["where"] for line in lines)
    for out in outs:
        for stage in out["stages"]:
            del stage["seconds"], stage["cpu"]
    assert outs[0] == outs[1] and not (tmp_path / "ray" / "shards").exists()
    assert not list(store.iterdir()), "what was carried is removed"


def test_cells_of_a_paper_s_table_are_those_of_one_process(
    tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of these cells start from a third; between the machines, all of them go through shared storage."""
    monkeypatch.setattr(
        grid, "QUICK", grid.Scale(suffix="-quick", share=0.05, train=200, width=4, attacked=8, preset="quick"))
    words, tables, store = ["paper", "table1", "--quick", "--protocol", "paper", "--json"], [], tmp_path / "store"
    on_ray = ["--to", str(tmp_path / "ray"), "--ray", cluster.address, "--storage", store.as_uri()]
    for more in (["--to", str(tmp_path / "one")], on_ray):
        assert main([*words, *more]) == 0
        cells = json.loads(capsys.readouterr().out)["cells"]
        tables.append({name: (cell["weights"], cell["start"], [each["standing"] for each in cell["findings"]])
                       for name, cell in cells.items()})
    assert len(tables[0]) == 4 and tables[0] == tables[1]
    assert not list((tmp_path / "ray" / "cells").glob("*.job")) and not list(store.iterdir())


def test_a_node_is_killed_half_way_and_every_number_is_that_of_a_run_without_ray(
    tmp_path: Path, cluster: Any
) -> None:
    """The command goes on; nothing that was done is made again, and what the dead node had is made from there."""
    epochs = 20  # enough that no machine is through before the node has died
    base = dataclasses.replace(BASE, recipe=Recipe(epochs=epochs, batch_size=40))
    sweeps = [Sweep(folder=tmp_path / name, varied={"S": (1.0, 10.0)}, base=base, seeds=2) for name in ("one", "ray")]
    plain, made = (sweep.assignments() for sweep in sweeps)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _event in InTurn().carry_out(plain):
            pass
    finally:
        torch.set_num_threads(before)
    node = cluster.worker_nodes.copy().pop()
    ends, doomed, deserted = [], set(), ""
    for event in OnRay(cluster.address).carry_out(made):
        if event["event"] == "ended":
            ends.append((event["name"], event["state"]))
        elif event["event"] == "begin" and event["node"] == node.node_id:
            doomed.add(event["name"])
        elif event["event"] == "epoch" and event["name"] in doomed and not deserted:
            deserted = event["name"]
            cluster.remove_node(node, allow_graceful=False)
    assert sorted(ends) == [(each.name, "done") for each in made]
    (again,) = [each.job for each in made if each.name == deserted]
    assert begun(again) == 2
    assert [each["epoch"] for each in again.events() if each["event"] == "epoch"] == list(range(1, epochs + 1))
    assert sum(begun(each.job) for each in made) == len(made) + 1
    for here, there in zip(plain, made, strict=True):
        systems = [System.load(each.job.folder / RESULT) for each in (here, there)]
        states = [each.network.state_dict() for each in systems]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        rows = [[{**row, "seconds": 0} for row in each.card["metrics"]] for each in systems]
        assert rows[0] == rows[1]


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if ray.is_initialized():
        ray.shutdown()
    words = ["sweep", "--vary", "S=1", "--to", str(tmp_path), "--ray", "127.0.0.1:9"]
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("tasklab: expected a Ray cluster at 127.0.0.1:9, got no answer")
