"""What a Python function is given that a recipe calls."""

from collections.abc import Mapping

from attrs import Factory, frozen

__all__ = ["Context"]


@frozen(kw_only=True)
class Context:
    """The run that calls: *server* is the name, *values* all that texts can use, by name.

    *status* is the server's status as it is known (``offline``, ``starting``, ``running``,
    ``stopping``), or ``None``; *attempt* counts from 1; *players* are those online, or ``None``
    where that is not known.
    """

    server: str
    server_id: str
    recipe: str
    run: int
    attempt: int = 1
    status: str | None = None
    players: tuple[str, ...] | None = None
    values: Mapping[str, str] = Factory(dict)
