"""Commands on consoles of any kind: another encoding, closed streams, a full disk, a reader that leaves, Ctrl-C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasklab import zoo
from tasklab.jobs.folder import Job
from tests.cli.commands import SERVING, TINY, commands, small

POOR = {"PYTHONIOENCODING": "cp1252", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""A console that cannot show "ε", and a locale whose encoding is not UTF-8."""

EVERYTHING = """
import json, sys, warnings
warnings.filterwarnings("error", category=EncodingWarning, module="tasklab|__main__")
from tasklab.cli import main
codes = {}
for words in json.load(sys.stdin):
    try:
        codes[" ".join(words)] = main(words)
    except SystemExit as stop:
        codes[" ".join(words)] = stop.code
sys.stderr.write("\\n" + json.dumps(codes))
"""

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def shell(command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command.replace("tasklab", f"{sys.executable} -m tasklab")], check=False,
                          capture_output=True, encoding="utf-8", env=os.environ | more, timeout=300)


def test_every_command_works_whatever_the_encoding(tmp_path: Path) -> None:
    work = [[*name.split(), *words] for name, words in small("digits-rbc", tmp_path).items()]
    known = [*small("", tmp_path), *SERVING]
    assert [name for name, _ in commands()] == known, "a command that this test does not know"
    work += [[*name.split(), "--help"] for name, _ in commands()] + [["--help"], ["list", "--catalogue"]]
    done = subprocess.run([sys.executable, "-X", "warn_default_encoding", "-c", EVERYTHING], input=json.dumps(work),
                          capture_output=True, encoding="cp1252", env=os.environ | POOR, check=True, timeout=500)
    codes = json.loads(done.stderr.splitlines()[-1])
    assert set(codes.values()) == {0}, {words: code for words, code in codes.items() if code}
    assert "\\u03b5 = 0.1" in done.stdout, "what the console cannot show is spelled out"
    assert "Traceback" not in done.stderr and "EncodingWarning" not in done.stderr
    assert "ε" in (tmp_path / "digits-rbc.md").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob(".*")), "nothing half-written is left"


def test_so_does_a_job(tmp_path: Path) -> None:
    settings = {"file": str(zoo.path("digits-tra")), "n": 2, "eps": [0.1], "claim_eps": 0.1, "queries": 2}
    job = Job.create(tmp_path / "job", "report", settings)
    done = subprocess.run([sys.executable, "-m", "tasklab.jobs", str(job.folder)], capture_output=True,
                          encoding="cp1252", env=os.environ | POOR, check=False, timeout=300)
    assert done.returncode == 0 and "\\u03b5 = 0.1" in done.stdout, done.stderr
    assert any("ε = 0.1" in str(event.get("message")) for event in job.events())


@posix
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("tasklab notebooks list >&-", 0),
        ("tasklab --help >&-", 0),
        ("tasklab notebooks list 2>&-", 0),
        ("tasklab notebooks list >&- 2>&-", 0),
        ("tasklab show nobody 2>&-", 1),
        ("tasklab attack 2>&-", 2),
        ("set -o pipefail; tasklab notebooks list | true", 0),
        ("set -o pipefail; PYTHONUNBUFFERED=1 tasklab --help | true", 0),
        ("tasklab notebooks list 2>&1 >/dev/full", 1),
        ("tasklab --version 2>&1 >/dev/full", 1),
        ("tasklab attack 2>/dev/full", 2),
    ],
)
def test_streams_that_are_closed_or_full_end_no_command_badly(command: str, code: int) -> None:
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(command)
    assert done.returncode == code and "Traceback" not in done.stderr + done.stdout
    assert not done.stderr or done.stderr.startswith("tasklab: ")
    if "1 >/dev/full" in command:
        assert "No space left" in done.stdout


@posix
@pytest.mark.parametrize("streams", [">&- 2>&-", "2>&1 | true"])
def test_training_is_whole_though_nobody_listens(streams: str, tmp_path: Path) -> None:
    words = " ".join([*TINY, "--eps", "0.2", "--to", str(tmp_path), "--run", str(tmp_path / "run")])
    assert shell(f"set -o pipefail; tasklab train {words} {streams}").returncode == 0
    assert (tmp_path / "digits-rbc.safetensors").is_file()
    assert "ε" in (tmp_path / "digits-rbc.md").read_text(encoding="utf-8")


def test_what_is_made_is_written_before_it_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tasklab.cli import main, training
    from tasklab.system import System

    def full(words: str) -> None:
        raise OSError("expected a standard output that takes what is printed, got: No space left on device")

    monkeypatch.setattr(training, "say", full)
    assert main(["train", *TINY, "--eps", "0.2", "--to", str(tmp_path), "--run", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err.endswith("No space left on device\n")
    assert len(System.load(tmp_path / "digits-rbc.safetensors").card["metrics"]) == 4
    assert (tmp_path / "digits-rbc.md").read_text(encoding="utf-8")


@posix
@pytest.mark.parametrize("module", ["import slow", "slow()"])
def test_ctrl_c_is_quiet_also_amid_an_import(module: str, tmp_path: Path) -> None:
    """An exception that passes through the beginnings of a C++ library would abort the process."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)\n"
        "except BaseException:\n    os.abort()\n", encoding="utf-8")
    (tmp_path / "run.py").write_text(
        "import os, signal, sys, tasklab.cli.showing as showing\nfrom tasklab.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # in the background a shell has it ignored
        "def slow():\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(10 ** 6))\n"
        f"def show(args):\n    {module}\n    return 0\nshowing._show = show\nsys.exit(main(['show', 'x']))\n",
        encoding="utf-8")
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], capture_output=True, encoding="utf-8",
                          check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tasklab: interrupted\n")
