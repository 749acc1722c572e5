"""Where one run's step plays: what it can see, and what it can have done."""

from typing import Final, TypedDict

from attrs import define, frozen

from automate.errors import MessageError
from automate.machine.actions import (
    CallPython,
    MakeBackup,
    Output,
    Send,
    ShowBackup,
    Tell,
    Traced,
)
from automate.machine.state import RecipeBook, Run, ServerBook, State
from automate.recipe.template import TOLD_LIMIT, render
from automate.wire.messages import ClientMessage, PowerAction, SendCommand, SetState

__all__ = ["DONE", "WAITING", "Done", "Failed", "Manner", "Needless", "Outcome", "Stage", "Still"]


@frozen
class Done:
    """The step is done."""


@frozen
class Still:
    """The step waits."""


@frozen
class Failed:
    """The step failed, for a *reason* that fits into a sentence."""

    reason: str


@frozen
class Needless:
    """There is nothing left to do: the run ends here, well."""

    reason: str


Outcome = Done | Still | Failed | Needless
DONE: Final = Done()
WAITING: Final = Still()


@frozen(kw_only=True)
class Manner:
    """How the machine's actions meet the world.

    *asks_once*: nothing is sent again, and what stays unanswered at a step's limit is taken as
    done, unconfirmed (a rehearsal). *answers*: whether the world answers at all (not after the
    end of a tape, not in a dry run).
    """

    asks_once: bool = False
    answers: bool = True


class _Place(TypedDict):
    """Where an action comes from."""

    server: str
    recipe: str
    run: int
    step: int


@define(kw_only=True)
class Stage:
    """One run at one moment. Steps read it, and act through it."""

    state: State
    server: ServerBook
    book: RecipeBook
    run: Run
    manner: Manner
    # Whether the step is done although something failed: it cleans up, or tells of it.
    cleans_up: bool
    at: float
    output: list[Output]

    def send(self, message: ClientMessage) -> None:
        """Have *message* sent."""
        self.output.append(Send(message=message, **self._place()))

    def command(self, text: str, *, within: str = "{text}") -> Outcome:
        """Have a command sent, its names filled in; fails where the game would not get it."""
        said = render(text, self.run.values, within=within)
        if not said.strip():
            return Failed(f"send command: nothing is left of {text!r}; an empty line is no command")
        try:
            self.send(SendCommand(said))
        except MessageError as error:
            return Failed(str(error))
        return DONE

    def power(self, action: PowerAction) -> None:
        """Have a power action sent."""
        self.send(SetState(action))

    def make_backup(self, name: str) -> int:
        """Have a backup made; the number of the call is returned."""
        call = self._call()
        self.output.append(MakeBackup(name=name, call=call, **self._place()))
        return call

    def show_backup(self, uuid: str) -> int:
        """Have the panel asked for a backup; the number of the call is returned."""
        call = self._call()
        self.output.append(ShowBackup(uuid=uuid, call=call, **self._place()))
        return call

    def tell(self, text: str) -> None:
        """Have the admin told."""
        # A person can read more than a game's terminal takes, and an error may need it.
        told = render(text, self.run.values, limit=TOLD_LIMIT)
        self.output.append(Tell(text=told, **self._place()))

    def call_python(self, name: str) -> int:
        """Have a Python function called; the number of the call is returned."""
        call = self._call()
        values = dict(self.run.values)
        self.output.append(CallPython(name=name, values=values, call=call, **self._place()))
        return call

    def trace(self, what: str, detail: str = "") -> None:
        """Note what was decided."""
        self.output.append(
            Traced(
                server=self.run.server,
                recipe=self.run.recipe,
                run=self.run.id,
                what=what,
                detail=detail,
                step=self.run.position,
            )
        )

    def unconfirmed(self) -> Outcome:
        """Take the step as done although nothing shows that it is."""
        self.trace("unconfirmed")
        return DONE

    def _call(self) -> int:
        self.state.last_call += 1
        return self.state.last_call

    def _place(self) -> _Place:
        run = self.run
        return {
            "server": run.server,
            "recipe": run.recipe,
            "run": run.id,
            "step": run.position,
        }
