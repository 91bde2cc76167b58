"""Binary codes: the paper's examples, the other code matrices, wrong settings."""

from __future__ import annotations

import itertools

import pytest
import torch

from tasklab.codecs import ABNORMAL, Binary, gray_code, hadamard_code, plain_code, random_code


def distances(rows: tuple[tuple[int, ...], ...]) -> list[int]:
    return [sum(a != b for a, b in zip(p, q, strict=True)) for p, q in itertools.combinations(rows, 2)]


def test_ten_classes_are_the_numbers_0000_to_1001() -> None:
    codewords = Binary().encode(torch.arange(10))
    assert ["".join(str(int(b)) for b in row) for row in codewords] == [f"{k:04b}" for k in range(10)]


def test_a_bit_is_one_iff_its_output_is_above_zero() -> None:
    codec = Binary(num_classes=2)
    assert codec.decode(torch.tensor([[0.0], [-0.0], [1e-38], [-1e-38]])).tolist() == [0, 0, 1, 0]


def test_a_deepbe_bit_is_one_iff_its_output_is_above_one_half() -> None:
    codec = Binary(num_classes=2, threshold=0.5)
    assert codec.decode(torch.tensor([[0.5], [0.50000006], [0.49999997]])).tolist() == [0, 1, 0]


def test_six_of_the_sixteen_patterns_of_four_bits_are_abnormal() -> None:
    patterns = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)))
    assert Binary().decode(patterns).tolist() == [*range(10), *[ABNORMAL] * 6]


def test_the_margin_is_that_of_the_weakest_bit() -> None:
    z = torch.tensor([[300.0, -20.0, -400.0, 350.0]])  # 1001
    margins = Binary().margins(z)[0]
    assert margins[9] == 20  # the second bit
    assert margins[1] == -300  # 0001: the first bit is wrong by 300
    assert margins[6] == -400  # 0110: all four are wrong, by 400 at most


def test_the_margin_is_the_least_change_of_any_one_output_that_undoes_the_label() -> None:
    codec = Binary()
    z = torch.tensor([[30.0, -5.0, -40.0, 12.0]])
    assert codec.decode(z).item() == 9
    for bit in range(4):
        for change in (-4.9, 4.9):
            assert codec.decode(z + change * torch.eye(4)[bit]).item() == 9
    assert codec.decode(z + 5.1 * torch.eye(4)[1]).item() == ABNORMAL  # 1101


@pytest.mark.parametrize(("num_classes", "bits"), [(2, 1), (3, 2), (4, 2), (5, 3), (10, 4), (16, 4), (17, 5), (100, 7)])
def test_the_smallest_number_of_bits_is_the_default(num_classes: int, bits: int) -> None:
    codec = Binary(num_classes=num_classes)
    assert codec.bits == codec.width == bits
    assert codec.matrix.shape == (num_classes, bits)


def test_gray_neighbours_differ_in_one_bit() -> None:
    rows = gray_code(100, 7)
    assert all(sum(a != b for a, b in zip(p, q, strict=True)) == 1 for p, q in itertools.pairwise(rows))
    assert len(set(rows)) == 100
    assert any(sum(a != b for a, b in zip(p, q, strict=True)) > 1 for p, q in itertools.pairwise(plain_code(100, 7)))


@pytest.mark.parametrize("num_classes", [2, 3, 4, 8, 10, 16, 100])
def test_any_two_hadamard_rows_differ_in_half_of_the_bits(num_classes: int) -> None:
    rows = hadamard_code(num_classes)
    order = len(rows[0]) + 1
    assert order >= num_classes > order // 2 or num_classes == 2
    assert set(distances(rows)) == {order // 2}


def test_a_random_code_is_the_best_of_its_draws_and_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    many = random_code(10, 8, seed=3)
    assert many == random_code(10, 8, seed=3)
    assert many != random_code(10, 8, seed=4)
    monkeypatch.setattr("tasklab.codecs.codes.DRAWS", 20)
    assert 0 < min(distances(random_code(10, 8, seed=3))) <= min(distances(many))
    with pytest.raises(ValueError, match=r"expected distinct rows, got none .* try more bits"):
        random_code(10, 3)


def test_a_random_code_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    random_code(4, 6)
    assert torch.equal(before, torch.get_rng_state())


def test_any_rows_may_be_a_code() -> None:
    rows = [[1, 1], [0, 1], [0, 0]]
    codec = Binary(num_classes=3, code=rows)  # type: ignore[arg-type]
    assert codec.encode(torch.tensor([0, 1, 2])).tolist() == rows
    assert codec == Binary(num_classes=3, bits=2, code=((1, 1), (0, 1), (0, 0)))
    assert codec.decode(torch.tensor([[9.0, 9.0], [9.0, -9.0]])).tolist() == [0, ABNORMAL]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"bits": 3}, r"expected at least 4 bits for 10 classes .*, got 3; try bits=4"),
        ({"bits": 3, "code": "gray"}, r"expected at least 4 bits for 10 classes .*, got 3; try bits=4"),
        ({"num_classes": 100, "bits": 6}, r"expected at least 7 bits for 100 classes .*, got 6; try bits=7"),
        ({"bits": 0}, "expected bits as a positive integer, got 0"),
        ({"bits": 4.0}, r"expected bits as a positive integer, got 4\.0"),
        ({"code": "morse"}, r"expected code 'binary', 'gray' or 0/1 rows, got 'morse'; try code='binary'"),
        ({"code": 7}, r"expected code 'binary', 'gray' or 0/1 rows, got 7; try code='binary'"),
        ({"num_classes": 2, "code": (0, 1)}, r"expected code 'binary', 'gray' or 0/1 rows, got \(0, 1\)"),
        ({"num_classes": 3, "code": ((0, 1), (1, 0))}, r"expected one code row per class \(3\), got 2"),
        ({"num_classes": 2, "code": ((0, 1), (1,))}, r"expected code rows of one length, got lengths \[1, 2\]"),
        ({"num_classes": 2, "bits": 3, "code": ((0, 1), (1, 0))}, r"expected code rows of length 3, got lengths \[2\]"),
        ({"num_classes": 2, "code": ((0, 2), (1, 0))}, "expected code rows of 0 and 1, got another value; try"),
        (
            {"num_classes": 3, "code": ((0, 1), (1, 0), (0, 1))},
            "expected distinct code rows, got class 2 with the row of class 0; try more bits",
        ),
        ({"threshold": float("nan")}, "expected a finite threshold, got nan"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Binary(**wrong)  # type: ignore[arg-type]
