"""What was written by others: whatever of it can be read goes on, and the rest is put aside."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate import AnyOf, Asked, ConsoleLine, Every, Notify, On, Parallel, Recipe, Times, Wait
from automate.machine.recipes import RecipeMachine
from automate.machine.stage import Manner
from tests.machine.scenes import ORIGIN, Scene, line, status

BUSY = Recipe(
    "busy",
    when=[
        Every(minutes=7),
        Times(3, ConsoleLine("(?P<who>.*) joined"), seconds=60),
        AnyOf(ConsoleLine("x"), ConsoleLine("y")),
        Asked(),
    ],
    then=[Parallel([Wait(seconds=100)], [Wait(seconds=200)]), Notify("done")],
    mode="queued",
)


def written() -> dict[str, Any]:
    """Return the parts of a machine in the middle of a good deal."""
    scene = Scene(BUSY)
    scene.hears((1.0, status("running")), (2.0, line("x")), (3.0, line("Bob joined")))
    scene.asks(4.0, "busy")
    parts: dict[str, Any] = json.loads(json.dumps(scene.machine.save()))
    return parts


def restored(parts: dict[str, Any], *recipes: Recipe, at: float = 50.0) -> tuple[Scene, list[str]]:
    scene = Scene(*(recipes or (BUSY,)), linked=False)
    lost = scene.machine.restore(parts)
    scene.take(scene.machine.resume(at), at)
    return scene, lost


def test_what_is_whole_goes_on_to_its_end() -> None:
    scene, lost = restored(written())

    assert lost == []
    assert scene.waits(1000.0).did[:2] == [(202.0, "notify done"), (402.0, "notify done")]


PATHS = [
    (part, *path)
    for part, value in written().items()
    for path in [(), *((key,) for key in value)]
    if isinstance(value, dict)
]


@given(
    st.sampled_from(PATHS),
    st.sampled_from([None, 7, -1, 1e300, "", "seven", [], [[]], {}, {"a": 1}, [1, 2], True]),
)
def test_whatever_is_written_there_nothing_stops_the_machine(
    path: tuple[str, ...], wrong: Any
) -> None:
    parts = written()
    place: Any = parts
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    before = copy.deepcopy(parts)

    scene, lost = restored(parts)
    changes = scene.machine.changes()
    scene.links(60.0).hears((61.0, status("running")), (62.0, line("x")), (63.0, line("y")))
    scene.asks(64.0, "busy").waits(2000.0)

    assert all(words.partition(": ")[2] for words in lost)
    # What could not be read is still there, under another name.
    aside = {name: value for name, value in changes.items() if name.startswith("aside:")}
    assert all(before[name.removeprefix("aside:")] == value for name, value in aside.items())
    assert json.loads(json.dumps(scene.machine.save()))


@pytest.mark.parametrize("field", ["watches", "due", "bases", "limits", "queue"])
def test_what_has_another_shape_begins_anew(field: str) -> None:
    parts = written()
    parts["server:s"]["recipes"]["busy"][field] = []

    scene, lost = restored(parts)
    scene.links(60.0).hears((61.0, status("running")), (62.0, line("x")))

    assert lost == []
    assert scene.waits(1000.0).did[0] == (202.0, "notify done")


def test_a_run_whose_own_run_is_lost_is_lost_with_it_and_ends() -> None:
    parts = written()
    children = [name for name in parts if name.startswith("run:") and parts[name]["parent"]]
    parts["run:1"] = "nonsense"

    scene, lost = restored(parts)
    changes = scene.machine.changes()

    assert {words.partition(": ")[0] for words in lost} == {"run:1", *children}
    assert all(changes[name] is None for name in ("run:1", *children))


def test_a_branch_on_a_server_that_is_not_there_any_more_is_put_aside() -> None:
    there = Recipe("there", when=Asked(), then=[On("lobby", Wait(seconds=9)), Notify("x")])
    servers = {"s": "arena", "t": "lobby"}
    machine = RecipeMachine([there], servers, origin=ORIGIN, manner=Manner())
    machine.asked("s", "there", 1.0)
    parts = json.loads(json.dumps(machine.save()))

    scene, lost = restored(parts, there)

    assert lost == ["run:2: the server t is not there any more"]
    assert [what.partition(":")[0] for _, what in scene.waits(100.0).ended] == ["failed"]


def test_what_was_remembered_of_another_version_is_not_taken_for_this_one() -> None:
    """Even where the server was left out when the recipe was changed."""
    servers = {"s": "arena", "t": "lobby"}
    old = Recipe("it", when=[Every(minutes=7), ConsoleLine("x")], then=Notify("old"))
    new = Recipe("it", when=[Every(hours=1)], then=Notify("new"))
    first = RecipeMachine([old], servers, origin=ORIGIN)
    parts = json.loads(json.dumps(first.save()))
    second = RecipeMachine([new], {"s": "arena"}, origin=ORIGIN)
    second.restore(parts)
    parts |= json.loads(json.dumps(second.save()))

    third = RecipeMachine([new], servers, origin=ORIGIN)

    assert third.restore(parts) == []
    assert third.wake_at == 3600.0
    assert len(third.state.servers["t"].recipes["it"].watches) == 1


def test_little_is_written_when_little_changes() -> None:
    """Of two hundred servers with twenty recipes: the one server, the run, and its recipe once."""
    recipes = [
        Recipe(f"r{n}", when=ConsoleLine(f"go {n}$"), then=[Wait(seconds=5), Notify("x")])
        for n in range(20)
    ]
    machine = RecipeMachine(recipes, {f"s{n}": f"n{n}" for n in range(200)}, origin=ORIGIN)
    machine.changes()

    written = []
    for at, server, said in [(1.0, "s7", "hello"), (2.0, "s7", "go 3"), (3.0, "s8", "go 3")]:
        machine.heard(server, line(said), at)
        written.append((at, sorted(name.partition(":")[0] for name in machine.changes())))
    machine.due(7.0)
    written.append((7.0, sorted(name.partition(":")[0] for name in machine.changes())))

    assert written == [
        (1.0, []),
        (2.0, ["machine", "recipe", "run", "server"]),
        (3.0, ["machine", "run", "server"]),
        (7.0, ["machine", "run"]),
    ]


@pytest.mark.parametrize("name", ["run:x", "recipe:x", "server:gone", "else", "aside:run:1", ""])
def test_parts_of_any_name_are_no_trouble(name: str) -> None:
    restored(written() | {name: {"a": 1}})
