"""Files are written whole or not at all, in UTF-8; names and folders that cannot be used are refused at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasklab import files


def test_text_is_utf8_with_the_lines_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "made" / "page.md"
    files.write_text(file, "ε ≤ 8/255\nend\n")
    assert file.read_bytes() == "ε ≤ 8/255\nend\n".encode()
    files.write_text(file, "\udcff")
    assert file.read_bytes() == b"\\udcff", "what UTF-8 does not have does not stop the writing"
    files.append_line(file, " ε")
    assert file.read_bytes() == "\\udcff ε\n".encode()
    assert [each.name for each in file.parent.iterdir()] == ["page.md"]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "page.md"
    files.write_text(file, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space"):
        files.write_text(file, "new")
    assert file.read_text(encoding="utf-8") == "old" and [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    "name", ["digits-rbc", "RBC, S = 10", "ein Nam\u00e9", "数字", "a.b", "console", "x" * files.MAX_NAME]
)
def test_names_that_people_give_are_taken(name: str, tmp_path: Path) -> None:
    files.write_text(tmp_path / f"{files.check_name(name)}.safetensors", "")
    assert files.check_file(tmp_path, name, ".md", ".safetensors") == tmp_path / f"{name}.md"


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../up", "../../up", "/up", "a/b", "a\\b", "c:up", "a\x00b", "a\nb", "a\x1bb", "a\u202eb",
     "a\u2028b", "\udcff", ".hidden", "-option", "end.", "end ", " begin", "CON", "nul", "com1.txt", "a*", "a?b", 'a"b',
     "x" * (files.MAX_NAME + 1), "漢" * 90],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name for a file, got"):
        files.check_name(name)


def test_folders_are_proven(tmp_path: Path) -> None:
    assert files.check_folder(tmp_path / "a" / "b").is_dir() and not [*(tmp_path / "a" / "b").iterdir()]
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300), "a\x00b"):
        with pytest.raises(ValueError, match="expected a folder that can be written to"):
            files.check_folder(place)
    (tmp_path / "name.md").mkdir()
    with pytest.raises(ValueError, match="got a folder of that name"):
        files.check_file(tmp_path, "name", ".safetensors", ".md")
