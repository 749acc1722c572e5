"""Where one run's step plays: what it can see, and what it can have done."""

from collections.abc import Callable
from functools import cached_property
from typing import Final, TypedDict

from attrs import define, frozen

from automate.errors import MessageError
from automate.machine.actions import (
    CallPython,
    DeleteBackup,
    ListBackups,
    MakeBackup,
    Output,
    Send,
    ShowBackup,
    Tell,
    Traced,
)
from automate.machine.holding import Verdict, judge
from automate.machine.state import RecipeBook, Run, ServerBook, State
from automate.machine.view import View
from automate.recipe.conditions import Condition
from automate.recipe.context import Context
from automate.recipe.template import TOLD_LIMIT, render
from automate.wire.games import Game, announcement
from automate.wire.messages import ClientMessage, PowerAction, SendCommand, SetState

__all__ = [
    "DONE",
    "NEWS",
    "WAITING",
    "Done",
    "Failed",
    "Manner",
    "Needless",
    "Outcome",
    "Stage",
    "Still",
]


@frozen
class Done:
    """The step is done."""


@frozen
class Still:
    """The step waits.

    *is_news*: what it remembers is another than before, in a way that does not show in its
    moments and its call.
    """

    is_news: bool = False


@frozen
class Failed:
    """The step failed, for a *reason* that fits into a sentence.

    *is_limit*: only because it came to its own limit.
    """

    reason: str
    is_limit: bool = False


@frozen
class Needless:
    """There is nothing left to do: the run ends here, well."""

    reason: str


Outcome = Done | Still | Failed | Needless
DONE: Final = Done()
WAITING: Final = Still()
NEWS: Final = Still(is_news=True)


@frozen(kw_only=True)
class Manner:
    """How the machine's actions meet the world.

    *asks_once*: nothing is sent again, and what stays unanswered at a step's limit is taken as
    done, unconfirmed (a rehearsal). *answers*: whether the world answers at all (not after the
    end of a tape, not in a dry run). *confirms*: whether it is told when a command was given to
    the socket, and a notice to whoever is told; steps then wait for that. *waits*: whether
    triggers set recipes off; otherwise they are only asked for, by people and by each other.

    *is_alone*: there is one server, that of a recording; steps *on* others are taken as done,
    unconfirmed.
    """

    asks_once: bool = False
    answers: bool = True
    confirms: bool = False
    waits: bool = True
    is_alone: bool = False


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
    # Shows what conditions and triggers can see.
    look: Callable[[], View]
    # Whether the step is to be done whatever happens: it puts something right.
    cleans_up: bool
    at: float
    output: list[Output]
    # Whose console it is; a generic one where that is not known.
    game: Game
    # Sets off another recipe for the same server; returns its run, or how that ended already.
    set_off: Callable[[str], int | Outcome]
    # The parts of the state that are to be written down anew.
    changed: set[str]

    @cached_property
    def view(self) -> View:
        """What conditions and triggers can see; most steps never look."""
        return self.look()

    def judge(self, condition: Condition) -> Verdict:
        """Return whether *condition* holds now."""
        return judge(condition, self.view)

    def send(self, message: ClientMessage, *, call: int | None = None) -> None:
        """Have *message* sent."""
        self.output.append(Send(message=message, call=call, **self._place()))

    def announce(self, text: str) -> Failed | int | None:
        """Have the game say *text* to all, by its own command; otherwise as `command`."""
        said = announcement(self.game, render(text, self.values))
        if said is None:
            return Failed(f"the console of {self.game.name} takes no commands")
        return self._command(said, text)

    def command(self, text: str, *, within: str = "{text}") -> Failed | int | None:
        """Have a command sent, its names filled in; fails where the game would not get it.

        Returned is the number of the call that tells when it was sent, if there is one.
        """
        return self._command(render(text, self.values, within=within), text)

    def _command(self, said: str, text: str) -> Failed | int | None:
        if not said.strip():
            return Failed(f"send command: nothing is left of {text!r}; an empty line is no command")
        try:
            message = SendCommand(said)
        except MessageError as error:
            return Failed(str(error))
        call = self.confirmation()
        self.send(message, call=call)
        return call

    def confirmation(self) -> int | None:
        """Return the number of a call that tells when something was done, if anything does."""
        return self._call() if self.manner.confirms else None

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

    def list_backups(self) -> int:
        """Have the panel asked for all backups; the number of the call is returned."""
        call = self._call()
        self.output.append(ListBackups(call=call, **self._place()))
        return call

    def delete_backup(self, uuid: str) -> int:
        """Have a backup deleted; the number of the call is returned."""
        call = self._call()
        self.output.append(DeleteBackup(uuid=uuid, call=call, **self._place()))
        return call

    def tell(self, text: str) -> int | None:
        """Have the admin told; the number of the call is returned, if there is one."""
        # A person can read more than a game's terminal takes, and an error may need it.
        told = render(text, self.values, limit=TOLD_LIMIT, keeps_lines="lines")
        call = self.confirmation()
        self.output.append(Tell(text=told, call=call, **self._place()))
        return call

    def call_python(self, name: str) -> int:
        """Have a Python function called; the number of the call is returned."""
        call = self._call()
        run, values, attempt = self.run, self.values, self.values.get("attempt", "")
        status = self.server.world.status
        players = self.view.players
        context = Context(
            server=self.view.facts.name,
            server_id=run.server,
            recipe=run.recipe,
            run=run.root,
            # A pattern may have a group of this name, which is the pattern's own affair.
            attempt=int(attempt) if attempt.isdecimal() else 1,
            status=None if status is None else status.value,
            players=None if players is None else tuple(sorted(players)),
            values=values,
        )
        self.output.append(CallPython(name=name, context=context, call=call, **self._place()))
        return call

    def set_variable(self, name: str, text: str) -> None:
        """Set a variable of the server; what the trigger offered under this name is over."""
        told = render(text, self.values, limit=TOLD_LIMIT)
        self.server.variables[name] = told
        if name in self.run.values:
            self.run.values[name] = told
        self.changed.add(f"server:{self.run.server}")

    def note_book(self) -> None:
        """Note that what is remembered of the recipe is to be written down."""
        self.changed.add(f"server:{self.run.home}")

    @property
    def values(self) -> dict[str, str]:
        """What texts can use: what the trigger offered, and the server's variables."""
        return self.server.variables | self.run.values

    def unix(self, moment: float) -> float:
        """Return *moment* in seconds since 1970."""
        return self.view.now.timestamp() - (self.at - moment)

    def trace(self, what: str, detail: str = "") -> None:
        """Note what was decided."""
        place = self._place()
        self.output.append(Traced(what=what, detail=detail, **place))

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
            "run": run.root,
            "step": run.position,
        }
