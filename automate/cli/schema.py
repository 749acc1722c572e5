"""`automate schema`: JSON Schema for the websocket's events."""

import sys
from collections.abc import Sequence

from automate.cli.arguments import Parser

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = Parser(
        "schema",
        "Print JSON Schema (2020-12) for every event of the websocket, in both directions.",
        example="automate schema > events.schema.json",
    )
    parser.parse_args(words)
    from automate.wire.schema import schema_text

    sys.stdout.write(schema_text().rstrip("\n") + "\n")
    return 0
