"""A run's folder belongs to one process at a time, on the command line as among jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasklab.cli import main

ROOT = Path(__file__).parents[2]
HOLD = "import sys; from pathlib import Path; from tasklab.lock import Lock\nwith Lock(Path(sys.argv[1])):\n" \
       "    print('now', flush=True); sys.stdin.read()"


def test_the_second_process_in_a_run_folder_gets_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    job = folder / "small"
    job.mkdir(parents=True)
    command = ["train", "--data", "digits", "--n", "100", "--epochs", "1", "--batch-size", "50", "--width", "4",
               "--attacked", "10", "--eps", "0.1", "--to", str(tmp_path), "--run", str(folder), "--name", "small"]
    left = tmp_path / ".small.safetensors.0123abcd"
    left.write_bytes(b"half")
    os.utime(left, (1.0, 1.0))
    holder = [sys.executable, "-c", HOLD, str(job / "lock")]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
                          env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None and process.stdout.readline() == "now\n"
        assert main(command) != 0
        err = capsys.readouterr().err
        assert err == f"tasklab: expected a job that is not running, got {job}; stop it first\n"
        process.kill()
    assert not (job / "events.jsonl").exists(), "nothing was done"
    assert main(command) == 0, "a killed process holds no lock"
    assert (tmp_path / "small.safetensors").is_file() and not left.exists()
