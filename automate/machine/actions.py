"""What the recipes' machine wants done, and what it tells of its reasons, as frozen values.

Whoever carries an action out gives the result back to the machine under the action's *call*.
"""

from attrs import frozen

from automate.recipe.context import Context
from automate.wire.messages import ClientMessage, SendCommand, SetState

__all__ = [
    "Action",
    "CallPython",
    "DeleteBackup",
    "ListBackups",
    "MakeBackup",
    "Output",
    "Send",
    "ShowBackup",
    "Tell",
    "Traced",
    "action_fields",
]


@frozen(kw_only=True)
class _ByRun:
    server: str
    recipe: str
    run: int
    # The position of the step in the recipe's program: with the run it names the step done.
    step: int


@frozen(kw_only=True)
class Send(_ByRun):
    """Send *message* to the server; nothing tells whether it arrived but the world itself.

    With a *call* it goes back under that once the message is given to the socket, or with an
    error if it never will be.
    """

    message: ClientMessage
    call: int | None = None


@frozen(kw_only=True)
class MakeBackup(_ByRun):
    """Ask the panel for a backup; the answer goes back under *call*."""

    name: str
    call: int


@frozen(kw_only=True)
class ShowBackup(_ByRun):
    """Ask the panel how the backup *uuid* is; the answer goes back under *call*."""

    uuid: str
    call: int


@frozen(kw_only=True)
class ListBackups(_ByRun):
    """Ask the panel for all backups of the server; the answer goes back under *call*."""

    call: int


@frozen(kw_only=True)
class DeleteBackup(_ByRun):
    """Have the panel delete the backup *uuid*; the answer goes back under *call*."""

    uuid: str
    call: int


@frozen(kw_only=True)
class Tell(_ByRun):
    """Tell the admin *text*; with a *call* it goes back under that once it is told."""

    text: str
    call: int | None = None


@frozen(kw_only=True)
class CallPython(_ByRun):
    """Call the Python function *name* with a *context*; the result goes back under *call*."""

    name: str
    context: Context
    call: int


@frozen(kw_only=True)
class Traced:
    """What was decided: *what* is ``triggered``, ``held back``, ``step``, ``unconfirmed``…

    ``done`` and ``failed`` end a run; *detail* is the reason or the step, in words. The others
    are ``condition``, ``step done``, ``step failed``, ``retry``, ``in doubt``, ``cut short`` and
    ``missed``.
    """

    server: str
    recipe: str
    run: int | None
    what: str
    detail: str = ""
    step: int | None = None


Action = Send | MakeBackup | ShowBackup | ListBackups | DeleteBackup | Tell | CallPython
Output = Action | Traced


def action_fields(action: Output) -> dict[str, str]:
    """Return *action* as it is written down, what is done and with what.

    One of ``{"set state": …}``, ``{"send command": …}``, ``{"backup": name}``,
    ``{"delete backup": uuid}``, ``{"notify": text}`` and ``{"call": name}``; empty for what
    does nothing.
    """
    match action:
        case Send(message=SetState(action=power)):
            return {"set state": power.value}
        case Send(message=SendCommand(command=command)):
            return {"send command": command}
        case MakeBackup(name=name):
            return {"backup": name}
        case DeleteBackup(uuid=uuid):
            return {"delete backup": uuid}
        case Tell(text=text):
            return {"notify": text}
        case CallPython(name=name):
            return {"call": name}
        case _:
            return {}
