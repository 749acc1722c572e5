"""Tests made of recordings: what recipes would have done, said in sentences.

docs/testing.md is the guide. Names are loaded when they are first used, so that a test run
which does not need them does not pay for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automate.fake.model.game import GameEvent as GameEvent
    from automate.fake.model.game import ScriptedGame as ScriptedGame
    from automate.fake.model.signals import Usage as Usage
    from automate.fake.playback import Playback as Playback
    from automate.testing.accepted import AcceptedTranscripts as AcceptedTranscripts
    from automate.testing.evening import Scene as Scene
    from automate.testing.nodes import Node as Node
    from automate.testing.nodes import all_running as all_running
    from automate.testing.opening import modelled_node as modelled_node
    from automate.testing.opening import replayed_node as replayed_node
    from automate.testing.opening import replayed_nodes as replayed_nodes
    from automate.testing.pen import Game as Game
    from automate.testing.rehearsing import load_recipes as load_recipes
    from automate.testing.rehearsing import load_recording as load_recording
    from automate.testing.rehearsing import rehearse as rehearse
    from automate.testing.script import Script as Script
    from automate.testing.seeds import scheduled as scheduled
    from automate.testing.shelf import find_recording as find_recording
    from automate.testing.shelf import recording_names as recording_names
    from automate.testing.sweeping import SweepReport as SweepReport
    from automate.testing.sweeping import sweep as sweep
    from automate.testing.timeline import Timeline as Timeline

__all__ = [
    "AcceptedTranscripts",
    "Game",
    "GameEvent",
    "Node",
    "Playback",
    "Scene",
    "Script",
    "ScriptedGame",
    "SweepReport",
    "Timeline",
    "Usage",
    "all_running",
    "find_recording",
    "load_recipes",
    "load_recording",
    "modelled_node",
    "recording_names",
    "rehearse",
    "replayed_node",
    "replayed_nodes",
    "scheduled",
    "sweep",
]

_HOMES = {
    "AcceptedTranscripts": "accepted",
    "Game": "pen",
    "GameEvent": ".fake.model.game",
    "ScriptedGame": ".fake.model.game",
    "Usage": ".fake.model.signals",
    "Node": "nodes",
    "Playback": ".fake.playback",
    "Scene": "evening",
    "Script": "script",
    "SweepReport": "sweeping",
    "Timeline": "timeline",
    "all_running": "nodes",
    "find_recording": "shelf",
    "load_recipes": "rehearsing",
    "load_recording": "rehearsing",
    "modelled_node": "opening",
    "recording_names": "shelf",
    "rehearse": "rehearsing",
    "replayed_node": "opening",
    "replayed_nodes": "opening",
    "scheduled": "seeds",
    "sweep": "sweeping",
}


def __getattr__(name: str) -> Any:
    """Load a public name where it lives."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'automate.testing' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
