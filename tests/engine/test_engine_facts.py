"""What a panel says of a server, as recipes go by it."""

from automate.engine.facts import server_facts
from automate.live.answers import Server
from automate.recipe.selectors import Selector, ServerFacts, Tagged, selects

UUID = "a1b2c3d4-0001-4000-8000-000000000001"


def test_facts_are_the_panels_words_in_those_of_recipes() -> None:
    server = Server(
        id="a1b2c3d4",
        uuid=UUID,
        name="Survival",
        description="our #Lobby",
        memory_limit_bytes=1 << 30,
        disk_limit_bytes=1 << 31,
        cpu_limit_percent=150.0,
    )

    assert server_facts(server, game="minecraft") == ServerFacts(
        name="Survival",
        ids=(UUID, "a1b2c3d4"),
        tags=frozenset({"lobby"}),
        memory_limit_bytes=1 << 30,
        disk_limit_bytes=1 << 31,
        cpu_limit_percent=150.0,
        game="minecraft",
    )


def test_a_server_is_found_by_either_id_its_name_and_its_tag() -> None:
    server = Server(id="a1b2c3d4", uuid=UUID, name="Survival", description="#Straße")
    facts = server_facts(server)

    wanted: list[Selector] = [UUID, "a1b2c3d4", "surv*", Tagged("STRASSE"), Tagged("#straße")]
    wanted.append(Tagged("lobby"))
    assert [selects((one,), facts) for one in wanted] == [True] * 5 + [False]
    assert (facts.game, facts.memory_limit_bytes) == (None, None)
