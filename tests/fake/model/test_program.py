"""A real program in a pseudo-terminal as the game, on a real clock: a process knows no other."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from automate.fake.model.claims import Claims
from automate.fake.model.settings import Settings
from automate.fake.model.signals import Drop, Exited, Opened, PowerAsked, Printed, Said, Send
from automate.fake.model.world import World
from automate.wire.frame import canonical_client
from automate.wire.messages import PowerAction
from tests.fake.model.scenes import BOOT_LINES, short

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

from automate.fake.model.program import ProgramGame
from automate.fake.model.serving import ServedModel, open_model

GAME = """
import subprocess, sys
print("Done (now)", flush=True)
for line in sys.stdin:
    match line.split():
        case ["crash", code]: sys.exit(int(code))
        case ["child"]:
            child = subprocess.Popen(["sleep", "600"])
            print("child", child.pid, flush=True)
        case ["stop"]: break
        case ["broken"]: sys.stdout.buffer.write(b"\\xff\\n"); sys.stdout.flush()
        case ["count", _]: print(len(line), flush=True)
        case other: print("heard", *other, flush=True)
"""


class Room:
    """A world with a real program, and one client that hears all."""

    def __init__(self, game: ProgramGame) -> None:
        self._begin = trio.current_time()
        claims = Claims(server=Settings().server, iat=1_799_999_999, exp=1_900_000_000)
        self.world = World(
            Settings(crash_detection=False), read_token=lambda _token: claims, game=game
        )
        self.heard: list[str] = []
        self._news = trio.Event()
        self._told = trio.lowlevel.ParkingLot()
        game.emit = self.tell

    def tell(self, happened: Opened | Said | Printed | PowerAsked | object) -> None:
        self._keep(self.world.handle(happened, self._at))  # type: ignore[arg-type]  # an input

    def say(self, event: str, *args: str) -> None:
        self.tell(Said(1, canonical_client(event, list(args))))

    @property
    def _at(self) -> float:
        return trio.current_time() - self._begin

    def _keep(self, outputs: list[Send | Drop]) -> None:
        self.heard += [short(output.text) for output in outputs if isinstance(output, Send)]
        self._news.set()
        self._told.unpark_all()

    async def live(self) -> None:
        while True:
            self._news = trio.Event()
            wake_at = self.world.wake_at
            deadline = float("inf") if wake_at is None else self._begin + wake_at
            with trio.CancelScope(deadline=deadline):
                await self._news.wait()
            self._keep(self.world.tick(self._at))

    async def wait_for(self, text: str) -> list[str]:
        """Return what was heard up to *text*, without statistics; forget it."""
        while text not in self.heard:
            await self._told.park()
        index = self.heard.index(text) + 1
        told, self.heard = self.heard[:index], self.heard[index:]
        return [line for line in told if not line.startswith("stats ")]


@asynccontextmanager
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    script = tmp_path / "game.py"
    script.write_text(GAME)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            made = Room(ProgramGame([sys.executable, str(script)], nursery=nursery))
            nursery.start_soon(made.live)
            made.tell(Opened(1))
            made.say("auth", "any")
            await made.wait_for("status offline")
            made.tell(PowerAsked(PowerAction.START))
            yield made
            nursery.cancel_scope.cancel()


async def test_echo_and_lines_are_the_terminals_own(tmp_path: Path) -> None:
    async with room(tmp_path) as played:
        boot = await played.wait_for("status running")
        played.say("send command", "hello you")
        spoken = await played.wait_for("heard hello you")
        played.say("send command", "count " + "x" * 5000)
        echo = await played.wait_for("4096")
        played.say("send command", "broken")
        broken = await played.wait_for("\ufffd")
        await trio.sleep(0.1)  # the start still holds the lock, as it does for real
        played.say("set state", "stop")
        stopped = await played.wait_for("status offline")

    assert boot == [*BOOT_LINES, "Done (now)", "status running"]
    assert spoken == ["hello you", "heard hello you"]
    # The echo shows all of a line of which the game gets 4095 bytes and the newline.
    assert len(echo[0]) == 5006
    assert broken == ["broken", "\ufffd"]
    assert stopped == ["status stopping", "stop", "status offline"]


@pytest.mark.parametrize("how", ["crash 7", "\x03", "child"])
async def test_exit_codes_signals_and_children_are_real(tmp_path: Path, how: str) -> None:
    async with room(tmp_path) as played:
        await played.wait_for("status running")
        played.say("send command", how)
        child = None
        if how == "child":
            while child is None:
                lines = [line for line in played.heard if line.startswith("child ")]
                child = int(lines[0].split()[1]) if lines else None
                await trio.sleep(0.01)
            played.tell(PowerAsked(PowerAction.KILL))
        await played.wait_for("status offline")
        code = played.world.daemon.power.last_exit[0]

    assert code == {"crash 7": 7, "\x03": 130, "child": 137}[how]
    assert child is None or not await is_alive(child)


async def test_a_kill_that_comes_before_the_program_does_is_not_forgotten() -> None:
    events: list[object] = []
    async with playing(events, ["sleep", "600"]) as game:
        game.start(0.0)
        game.kill(0.0)

    assert events == [Exited(137)]


@pytest.mark.parametrize(
    ("farewell", "last_words"), [("stop", ["stop", "saved"]), ("\x03", ["^C"]), (None, [])]
)
async def test_when_we_end_the_program_may_end_in_order_first(
    farewell: str | None, last_words: list[str]
) -> None:
    """It is typed what it ends by; without a farewell it is killed."""
    events: list[object] = []
    words = ["sh", "-c", "echo up; read line; echo saved"]
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            game = ProgramGame(words, nursery=nursery, farewell=farewell)
            game.emit = events.append
            game.start(0.0)
            while not events:  # noqa: ASYNC110 # nothing tells of it in here
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    assert [event.line for event in events if isinstance(event, Printed)] == ["up", *last_words]
    assert not game.is_running


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there only the leader's group is found")
async def test_jobs_in_groups_of_their_own_end_with_the_program(tmp_path: Path) -> None:
    """As an interactive shell makes them."""
    events: list[object] = []
    words = ["sh", "-c", "set -m; sleep 600 & echo $!; exit 3"]
    async with playing(events, words) as game:
        game.start(0.0)

    printed, exited = events
    assert isinstance(printed, Printed)
    assert exited == Exited(3)
    assert not await is_alive(int(printed.line))


@asynccontextmanager
async def playing(events: list[object], command: list[str]) -> AsyncIterator[ProgramGame]:
    """Hold a program by itself, and wait in the end until it is over."""
    ended = trio.Event()

    def hear(event: object) -> None:
        events.append(event)
        if isinstance(event, Exited):
            ended.set()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            game = ProgramGame(command, nursery=nursery)
            game.emit = hear
            yield game
            await ended.wait()


async def test_a_program_that_is_not_there_ends_as_a_container_without_it_does() -> None:
    events: list[object] = []
    async with playing(events, ["/nowhere/game"]) as game:
        game.start(0.0)

    assert events == [Printed("/nowhere/game: No such file or directory"), Exited(127)]


async def test_a_served_model_runs_a_real_program_on_a_real_network(tmp_path: Path) -> None:
    script = tmp_path / "game.py"
    script.write_text(GAME)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            game = ProgramGame([sys.executable, str(script)], nursery=nursery)
            async with open_model(wall_clock=time.time, game=game) as served:  # noqa: TID251 # real
                served.tell(PowerAsked(PowerAction.START))
                await reach(served, "running")
                async with httpx.AsyncClient(
                    headers={"Authorization": f"Bearer {served.key}"}
                ) as panel:
                    url = f"{served.panel_url}/api/client/servers/{served.server}"
                    answer = await panel.post(f"{url}/command", json={"command": "stop"})
                await reach(served, "offline")
            nursery.cancel_scope.cancel()

    assert answer.status_code == 204


async def reach(served: ServedModel, state: str) -> None:
    while served.world.daemon.state != state:  # noqa: ASYNC110 # nothing tells of it in here
        await trio.sleep(0.01)


async def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie, after a moment to end."""
    for _ in range(100):
        try:
            text = await trio.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        if text.rpartition(")")[2].split()[0] == "Z":
            return False
        await trio.sleep(0.01)
    return True
