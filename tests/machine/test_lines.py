"""The index of patterns: what it leaves out can't be found, and of most lines it leaves out all."""

import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automate.machine import literals
from automate.machine.lines import LineIndex
from automate.machine.literals import fold, needs

# Few letters, so that patterns and lines meet; with those whose case is a trap: a Turkish i and
# a long s, which (?i) takes for plain ones, the Kelvin sign, two small sigmas, a double s.
LETTERS = "aAbBisSkK .-İıſKΣσςßẞé✓"
TEXTS = st.text(LETTERS, min_size=1, max_size=9)


PIECES = st.one_of(
    TEXTS.map(re.escape),
    TEXTS.map(re.escape),
    st.sampled_from([r"\d", r"\w+", ".", ".*", "[ab]", "[^a]", "[aA]", "[iİ]", "(?<=ab)", "", "✓"]),
)
FORMS = (
    "(?:X)?", "(?:X)*", "(?:X)+", "(?:X){2}", "(?:X){0,2}", "(?:X)+?", "(?:X){1,2}+", "(X)",
    r"(?:(X)-\1)", "(?:(X)|b)", "(?:(X)?(?:(?<=b)b|a))", "(?:X|a)", "(?:X|b|)", "(?>X)",
    "(?=X)", "(?!X)", "(?<!a)X", "(?i:X)", "(?-i:X)", "(?s:X)", "^X", "X$", r"\bX", r"X\b",
)  # fmt: skip


def in_a_row(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, min_size=1, max_size=3).map("".join)


def filled(form: str, text: str) -> str:
    return form.replace("X", text)


def formed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(filled, st.sampled_from(FORMS), inner)


SIMPLE = in_a_row(PIECES | formed(PIECES))


def compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


PATTERNS = st.builds(
    str.__add__,
    st.sampled_from(["", "", "(?i)", "(?x)", "(?m)", "(?ai)"]),
    SIMPLE | in_a_row(PIECES | formed(SIMPLE)),
).filter(compiles)
ALPHABET = st.sampled_from(LETTERS + "0_\n")
CASES: list[Callable[[str], str]] = [str, str, str.upper, str.lower, str.swapcase]


def is_drawable(pattern: str) -> bool:
    """Whether Hypothesis can make texts for *pattern*: some of Python's means it does not know."""
    try:
        st.from_regex(pattern, alphabet=ALPHABET).validate()
    except Exception:  # Each of them fails in a way of its own.
        return False
    return True


@st.composite
def lines_like(draw: st.DrawFn, patterns: list[str]) -> str:
    """Draw a line that has a good chance of having one of *patterns* in it."""
    texts = [st.from_regex(one, alphabet=ALPHABET) for one in patterns if is_drawable(one)]
    middle = draw(st.one_of(*texts, st.text(LETTERS, max_size=30)))
    turned = draw(st.sampled_from(CASES))
    around = st.text(LETTERS, max_size=5)
    return f"{draw(around)}{turned(middle)}{draw(around)}"


@settings(max_examples=400)
@given(st.data())
def test_whatever_can_be_found_is_among_the_candidates(data: st.DataObject) -> None:
    patterns = data.draw(st.lists(PATTERNS, min_size=1, max_size=5))
    line = data.draw(lines_like(patterns))
    candidates = LineIndex(patterns).candidates(line)

    found = [place for place, one in enumerate(patterns) if re.search(one, line)]
    assert set(found) <= set(candidates)
    assert list(candidates) == sorted({*candidates} & {*range(len(patterns))})


@given(TEXTS, st.text(max_size=8), st.text(max_size=8))
@example("abcd", "", "")
@example("\ud800abcdef", "x", "")
@example("σαςΣ", "Α", "Α")
def test_a_piece_is_seen_wherever_it_stands(piece: str, before: str, after: str) -> None:
    index = LineIndex([re.escape(piece), f"(?i){re.escape(piece.swapcase())}"])

    assert 0 in index.candidates(before + piece + after)
    if re.search(f"(?i){re.escape(piece.swapcase())}", before + piece + after):
        assert 1 in index.candidates(before + piece + after)


def test_letters_that_any_case_takes_for_one_are_folded_to_one() -> None:
    """All there are, for `re` has rules of its own."""
    cased = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if not char == char.lower() == char.upper() == char.casefold()
    ]
    text = "".join(cased)
    different = {
        (char, other)
        for char in cased
        for other in re.findall(re.escape(char), text, re.IGNORECASE)
        if fold(char) != fold(other)
    }

    assert len(cased) > 2500
    assert different == set()
    assert [char for char in cased if fold(fold(char)) != fold(char)] == []


@given(st.text(), st.text())
@example("ΑΣ", "Α")
@example("a", "İ")
def test_folding_does_not_depend_on_what_stands_beside(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("Done", [{"done"}]),
        (r"^\[.*INFO\]: (\w+) joined the game$", [{"["}, {"info]: "}, {" joined the game"}]),
        ("(?i)STRASSE", [{"strasse"}]),
        ("[Ee]rror", [{"error"}]),
        ("ab[cd]ef", [{"ab"}, {"ef"}]),
        ("ab[^c]ef", [{"ab"}, {"ef"}]),
        ("ab.ef", [{"ab"}, {"ef"}]),
        ("(disk full|no space left)", [{"disk full", "no space left"}]),
        ("(disk|.*)full", [{"full"}]),
        ("ab(?:cd)ef", [{"abcdef"}]),
        ("ab(?:cd)?ef", [{"ab"}, {"ef"}]),
        ("ab(?:cd)+ef", [{"abcd"}, {"ef"}]),
        ("ab(?!cd)ef", [{"abef"}]),
        ("ab(?=ef)e", [{"ef"}, {"abe"}]),
        (r"(?P<a>x)(?P=a)y", [{"x"}, {"y"}]),
        (r"(?x) a b  # c", [{"ab"}]),
        (r"\d+", []),
        (".*", []),
        ("a*|b", []),
        ("", []),
    ],
)
def test_what_a_pattern_needs(pattern: str, needed: list[set[str]]) -> None:
    assert needs(pattern) == needed


def test_a_thousand_patterns_of_which_a_line_has_none() -> None:
    """They have much in common with each other and with the line; the index knows the rest."""
    patterns = [
        *[rf"^\[.*INFO\]: <(?P<player>\w+)> !order{n}$" for n in range(400)],
        *[rf"INFO\]: Guest{n} joined the game" for n in range(400)],
        *[rf"(?i)\[.*ERROR\]: code (0x{n:04x}|none)" for n in range(200)],
    ]
    index = LineIndex(patterns)
    quiet = [
        "[12:00:00] [Server thread/INFO]: Ada joined the game",
        "[12:00:00] [Server thread/WARN]: Can't keep up! Is the server overloaded?",
        "[12:00:00] [Server thread/INFO]: <Ada> !help",
        "",
    ]

    assert [list(index.candidates(line)) for line in quiet] == [[], [], [], []]
    assert 17 in index.candidates("[12:00:00] [Server thread/INFO]: <Ada> !order17")


def test_what_has_only_a_part_of_a_piece_is_left_out() -> None:
    index = LineIndex(["abcdefghijk", "abcde", "abc"])

    assert [list(index.candidates(line)) for line in ("abcdefghij", "_abcd_", "_ab_c")] == [
        [1, 2],
        [2],
        [],
    ]


def test_patterns_without_any_text_are_tried_always() -> None:
    index = LineIndex(["stop", r"^\d+$", "tick", r"(a|.)"])

    assert index.always == (1, 3)
    assert [list(index.candidates(line)) for line in ("", "tock", "ticktock", "STOP")] == [
        [1, 3],
        [1, 3],
        [1, 2, 3],
        [0, 1, 3],
    ]


def test_an_index_of_nothing() -> None:
    assert list(LineIndex([]).candidates("anything")) == []


def test_without_pythons_parser_all_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no public part of Python, and may be gone one day."""

    def gone(_pattern: str) -> None:
        raise AttributeError("module 're' has no attribute '_parser'")

    monkeypatch.setattr(literals, "_parsed", gone)
    index = LineIndex(["abc", "def"])

    assert list(index.candidates("x")) == [0, 1]
