"""What goes wrong between a client and a server, made to go wrong on purpose, the same each time.

A fault is a frozen value; `Faults` are some of them with a seed. They stand between a node's
logic and its sockets, before the panel's answer and in the hands of whoever makes tokens, so
that a recording or a model needs to know nothing of them. docs/faults.md is the guide.
"""

from automate.fake.faults.calls import PanelAnswers
from automate.fake.faults.endings import DropAfter, HalfOpen, Reset
from automate.fake.faults.frames import Duplicate, Latency, Malform, Reorder, Truncate
from automate.fake.faults.seeded import Faults
from automate.fake.faults.streams import SlowReader
from automate.fake.faults.tokens import ClockSkew, ExpireEarly, Refusal, RefuseToken

__all__ = [
    "ClockSkew",
    "DropAfter",
    "Duplicate",
    "ExpireEarly",
    "Faults",
    "HalfOpen",
    "Latency",
    "Malform",
    "PanelAnswers",
    "Refusal",
    "RefuseToken",
    "Reorder",
    "Reset",
    "SlowReader",
    "Truncate",
]
