"""Texts with names in braces: plain names only, and nothing harmful comes in by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.errors import RecipeError
from automate.recipe.template import CAPTURED_LIMIT, names_in, render


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nothing", []),
        ("{a} and {b} and {a}", ["a", "b", "a"]),
        ("{{a}} {{{a}}}", ["a"]),
        ("100%", []),
    ],
)
def test_the_names_of_a_text_are_found_in_order(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{a.b}", "found {a.b}"),
        ("{a[0]}", "found {a[0]}"),
        ("{a!r}", "found {a!r}"),
        ("{a:>9}", "found {a:>9}"),
        ("{a:{b}}", "found {a:{b}}"),
        ("{}", "found {}"),
        ("{0}", "found {0}"),
        ("{ a }", "found { a }"),
        ("{a", "expected '}'"),
        ("a}", "Single '}'"),
    ],
)
def test_anything_but_a_plain_name_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(RecipeError) as refused:
        names_in(text)

    assert wrong in str(refused.value)
    assert "{{" in str(refused.value)


@pytest.mark.parametrize(
    ("value", "harmless"),
    [
        ("Ada", "Ada"),
        ("a\n/op Bob", "a /op Bob"),
        ("a\r\n\x00b", "a b"),
        ("\x1b[31mred", " [31mred"),
        ("a\u2028b\u2029c\x85d\x9be", "a b c d e"),
        ("half \ud800", "half  "),
        ("é 漢 🎮", "é 漢 🎮"),
        ("{server}", "{server}"),
    ],
    ids=repr,
)
def test_a_value_comes_in_as_one_line(value: str, harmless: str) -> None:
    assert render("<{a}>", {"a": value}) == f"<{harmless}>"


def test_a_value_comes_in_cut_off() -> None:
    values = {"a": "x" * 10_000}

    assert render("{a}", values) == "x" * CAPTURED_LIMIT
    assert render("{a}", values, limit=500) == "x" * 500


def test_a_name_without_a_value_stays_empty() -> None:
    assert render("<{a}>", {}) == "<>"


def test_the_frame_of_a_text_is_filled_too_but_its_text_is_not_cut() -> None:
    framed = render("{a}" + "y" * 200, {"a": "x", "text": "no"}, within='to {a} {{"{text}"}}')

    assert framed == 'to x {"x' + "y" * 200 + '"}'


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="{}")))
def test_a_value_never_brings_in_a_line_or_a_name(value: str, around: str) -> None:
    said = render(around + "|{a}|", {"a": value, "b": "!"})

    inside = said.removeprefix(around + "|").removesuffix("|")
    assert len(inside) <= CAPTURED_LIMIT
    assert len(f"|{inside}|".splitlines()) == 1
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in inside)
    assert set(inside) <= {*value, " "}


@given(st.text())
def test_what_is_no_template_is_refused_and_the_rest_is_rendered(text: str) -> None:
    try:
        names = names_in(text)
    except RecipeError:
        return
    assert render(text, dict.fromkeys(names, "")) == render(text, {})
