"""The steps of a session of two images, and what is made of their measurements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publish_samples import measurement

from pytest_lan_hil.config import SearchPath, load_board
from pytest_lan_hil.model.errors import BlockedError, ImageError
from pytest_lan_hil.model.measurement import Budget, VerdictKind
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.run.ab import SideBySide, without_build
from pytest_lan_hil.run.ab_steps import Side, side_of, steps_of, without_step
from pytest_lan_hil.run.asked import Asked
from pytest_lan_hil.run.options import TwoImages

TEN = Margin(0.10, 0.0)
TEST = "t.py::test_it[nrf52840]"


@pytest.fixture
def board(request):
    return load_board("nrf52840", SearchPath.default(request.config.rootpath, (), ()))


def sides(board, blocks=2):
    return SideBySide(TwoImages("lan", "lan", blocks), board)


def latency(value_ms):
    return {"latency": measurement("latency", "ms", (value_ms,) * 20, "mean", half=0.0)}


def take_all(compared, of, margin=TEN, without=()):
    """Give each step what `of` says of it; returns what the last one found."""
    for step in compared.steps:
        found = compared.take(TEST, step, {"latency": margin}, {} if step.number in without else of(step))
        if step is not compared.steps[-1]:
            assert found == ()
    return found


def test_a_block_has_base_head_head_base_so_that_a_drift_cancels():
    assert [step.name for step in steps_of(2)] == [
        "1-base", "2-head", "3-head", "4-base", "5-base", "6-head", "7-head", "8-base",
    ]  # fmt: skip
    assert [step.block for step in steps_of(2)] == [0, 0, 0, 0, 1, 1, 1, 1]


WORD = st.text("abc0123-[]", max_size=6)


@given(st.integers(1, 4), st.data(), WORD, WORD)
def test_the_step_is_taken_out_of_a_node_id_wherever_it_stands(blocks, data, before, after):
    step = data.draw(st.sampled_from(steps_of(blocks)))
    parameters = [one for one in (before, step.name, after) if one]
    rest = "-".join(one for one in (before, after) if one)
    assert without_step(f"d/t.py::T::test[{'-'.join(parameters)}]", step) == f"d/t.py::T::test[{rest}]"


def test_the_side_of_a_test_stands_at_the_end_of_its_node_id():
    assert [side_of(f"t.py::t[x-{step.name}]") for step in steps_of(1)] == [
        Side.BASE, Side.HEAD, Side.HEAD, Side.BASE,
    ]  # fmt: skip
    assert side_of("t.py::test_head") is None


def test_a_difference_that_recurs_in_every_block_is_a_regression(board):
    (found,) = take_all(sides(board), lambda step: latency(10.0 if step.side is Side.BASE else 12.0))
    assert found.kind is VerdictKind.REGRESSED
    assert (found.base.value, found.head.value) == (10.0, 12.0)
    assert (found.subject.quantity, found.subject.test) == ("latency", "t.py::test_it")


def test_a_difference_that_one_block_lacks_is_none(board):
    slow_once = lambda step: latency(14.0 if step.number in (2, 3) else 10.0)  # noqa: E731
    (found,) = take_all(sides(board), slow_once)
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert "not in every one" in found.reason


def test_a_steady_drift_is_not_taken_for_a_difference(board):
    (found,) = take_all(sides(board), lambda step: latency(10.0 + step.number))
    assert found.change == pytest.approx(0.0)
    assert found.kind is VerdictKind.WITHIN


def test_a_block_that_was_cut_short_does_not_count_and_is_named(board):
    of = lambda step: latency(50.0 if step.block == 1 and step.side is Side.HEAD else 10.0)  # noqa: E731
    (found,) = take_all(sides(board, 3), of, without=(6,))
    assert found.kind is VerdictKind.WITHIN
    assert "without the blocks of 6-head, where it was not measured" in found.reason


def test_nothing_but_blocks_cut_short_decides_nothing(board):
    (found,) = take_all(sides(board), lambda step: latency(10.0), without=(2, 6))
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert "not measured in one whole block" in found.reason


def test_what_no_step_measured_is_left_out(board):
    assert take_all(sides(board), lambda step: {}) == ()


def test_each_comparison_is_corrected_for_all_of_the_session(board):
    noise = iter([10.0, 12.00, 11.95, 10.0, 10.0, 12.1, 12.0, 10.0, 10.0, 12.05, 12.0, 10.0])
    values = list(noise)

    def found(family):
        compared = sides(board, 3)
        compared.family = family
        return take_all(compared, lambda step: latency(values[step.number - 1]))[0]

    assert found(40).p_regressed == pytest.approx(40 * found(1).p_regressed)


def test_a_budget_says_what_is_measured_and_its_limit_nothing(board):
    compared = sides(board)
    wanted = Asked(
        budgets=(Budget("latency", 1.0, "p95", "marker"), Budget("power", 1.0, "mean", "marker")),
        margins={"latency": Margin(0.01, 0.0)},
    )
    asked = compared.asked(wanted, compared.steps[1])
    assert asked.budgets == ()
    assert asked.margins == {"latency": Margin(0.01, 0.0), "power": board.margins["power"]}
    assert asked.image_name == str(board.image("lan").resolve())


def test_an_image_that_is_built_anew_meanwhile_blocks(board, tmp_path):
    image = tmp_path / "new.elf"
    image.write_bytes(board.image("lan").read_bytes())
    compared = SideBySide(TwoImages("lan", str(image), 2), board)
    assert compared.alike
    image.write_bytes(image.read_bytes() + b"\0")
    compared.asked(Asked(), compared.steps[0])
    with pytest.raises(BlockedError, match="changed while it was compared"):
        compared.asked(Asked(), compared.steps[1])


def test_an_image_that_can_not_be_used_is_named_with_its_side(board):
    with pytest.raises(
        ImageError, match=r"--hil-ab, head image: image no\.elf of board nrf52840 is not there"
    ):
        SideBySide(TwoImages("lan", "no.elf", 2), board)


def test_no_image_is_built_where_two_are_given(board):
    made = board.model_copy(update={"build": ("make",)})
    assert without_build(made).build == ()
