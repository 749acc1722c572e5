"""The rows of the probes about HTTP and frames: bytes to a served model, and bytes back.

Each is played in memory and on real sockets.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx
import msgspec
import pytest
import trio
from attrs import frozen
from websockets.sync.client import connect
from websockets.typing import Origin

from automate.fake.framing import Opcode, encode_close
from automate.fake.model.serving import ServedModel, open_model
from automate.fake.model.settings import Kind, Settings
from automate.fake.model.signals import ConditionChanged, Usage
from automate.wire.codec import encode_client
from automate.wire.messages import Auth, PowerState, SendCommand, SendStats
from tests.fake.model.scenes import BOTH, PELICAN, PTERODACTYL, row
from tests.fake.wire import MASK, NETWORKS, RawClient, on

DEFLATED = 0x40 | Opcode.TEXT
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
STATS = encode_client(SendStats())

everywhere = pytest.mark.parametrize("network", NETWORKS)


@frozen
class Scene:
    """A served model, and the ways in."""

    served: ServedModel

    @asynccontextmanager
    async def knocking(
        self, *, url: str | None = None, headers: dict[str, str | None] | None = None
    ) -> AsyncIterator[RawClient]:
        """Ask for the websocket; *headers* go beside, or instead of, the usual ones."""
        origin = {"Origin": self.served.panel_url}
        async with RawClient.opened(url or self.served.socket_url, origin | (headers or {})) as it:
            yield it

    @asynccontextmanager
    async def let_in(
        self, headers: dict[str, str | None] | None = None
    ) -> AsyncIterator[RawClient]:
        """Ask for it, authenticate, and pass over the greeting."""
        path = f"/api/client/servers/{self.served.server}/websocket"
        async with httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=None)) as panel:
            answer = await panel.get(
                self.served.panel_url + path,
                headers={"Authorization": f"Bearer {self.served.key}"},
            )
        async with self.knocking(headers=headers) as client:
            await client.say(encode_client(Auth(answer.json()["data"]["token"])))
            greeting = await heard(client, 2)
            if self.served.world.daemon.state is PowerState.OFFLINE:
                greeting += await heard(client, 1)
            assert greeting[:2] == ["auth success", "status"]
            yield client


@asynccontextmanager
async def scene(kind: Kind) -> AsyncIterator[Scene]:
    def wall_clock() -> float:
        return 1_800_000_000.0 + trio.current_time()

    async with open_model(wall_clock=wall_clock, settings=Settings(kind=kind)) as served:
        yield Scene(served)


def words(frame: tuple[int, bytes] | None) -> str:
    """Return what a frame is: the name of its event, its close code and reason, or the end."""
    match frame:
        case None:
            return "(end)"
        case (Opcode.CLOSE, data):
            return f"(closed {int.from_bytes(data[:2])} {data[2:].decode()})".replace(" )", ")")
        case (Opcode.PONG, data):
            return f"(pong {data.decode()})"
        case (opcode, data):
            text = zlib.decompressobj(-15).decompress(data) if opcode == DEFLATED else data
            return str(msgspec.json.decode(text)["event"])


async def heard(client: RawClient, count: int) -> list[str]:
    """Return what the next *count* frames are."""
    return [words(await client.hear()) for _ in range(count)]


async def all_heard(client: RawClient) -> list[str]:
    """Return what has come of all that was said: up to the answer to something else."""
    # What is said together may be answered in any order.
    await trio.sleep(0.05)
    await client.say('{"event":"auth","args":["no token"]}')
    told = []
    while (last := words(await client.hear())) not in ("daemon error", "(end)"):
        told.append(last)
    return told + ["(end)"] * (last == "(end)")


def padded(size: int, *, with_noise: bool = False) -> str:
    """Return a question for the stats that is so many bytes long."""
    frame = '{"event":"send stats","args":["%s"]}'
    room = size - len(frame) + 2
    return frame % "".join(Random(7).choices("0123456789abcdef" if with_noise else "x", k=room))


def deflated(text: str) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(text.encode()) + deflater.flush(zlib.Z_SYNC_FLUSH)[:-4]


# ---------------------------------------------------------------- HTTP


@everywhere
@row("6.2 not an upgrade", "6.2 each answer has X-Request-Id")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Upgrade": None, "Connection": None}, 400),
        ({"Sec-WebSocket-Version": "8"}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Origin": "https://elsewhere"}, 403),
    ],
)
def test_a_refusal_is_the_librarys_line_and_the_daemons_with_an_id(
    kind: Kind, network: str, change: dict[str, str | None], status: int
) -> None:
    async def play() -> tuple[int, str, str | None]:
        async with scene(kind) as it, it.knocking(headers=change) as client:
            return client.status, await client.body(), client.header("X-Request-Id")

    found, body, request_id = on(network, play)
    line, _, rest = body.partition("\n")
    assert (found, line) == (status, {400: "Bad Request", 403: "Forbidden"}[status])
    assert msgspec.json.decode(rest) == {
        "error": "An unexpected error was encountered while processing this request",
        "request_id": request_id,
    }


@everywhere
@row("6.2 unknown uuid", "6.2 each answer has X-Request-Id")
def test_an_unknown_server_is_told_so_before_anything_else_is_looked_at(
    kind: Kind, network: str
) -> None:
    async def play() -> tuple[int, str, bool]:
        async with scene(kind) as it:
            url = it.served.socket_url.replace("a1b2c3d4", "b1b2c3d4")
            async with it.knocking(url=url, headers={"Origin": "https://elsewhere"}) as client:
                return client.status, await client.body(), bool(client.header("X-Request-Id"))

    told = '{"error":"The requested resource does not exist on this instance."}'
    assert on(network, play) == (404, told, True)


@everywhere
@row("?token=, subprotocol header", "6.2 each answer has X-Request-Id")
def test_a_token_in_the_url_and_a_subprotocol_are_passed_over(kind: Kind, network: str) -> None:
    async def play() -> tuple[int, list[str | None], list[str]]:
        async with scene(kind) as it:
            url = f"{it.served.socket_url}?token=abc"
            offer: dict[str, str | None] = {"Sec-WebSocket-Protocol": "chat, superchat"}
            async with it.knocking(url=url, headers=offer) as client:
                await client.say(STATS)
                found = [client.header(n) for n in ("Sec-WebSocket-Protocol", "X-Request-Id")]
                return client.status, found, await heard(client, 1)

    # Nobody was let in by that: a message is answered as it is before any auth.
    assert on(network, play) == (101, [None, None], ["jwt error"])


@everywhere
@row("/ws/ with trailing slash")
def test_a_slash_too_many_leads_to_where_there_is_none(kind: Kind, network: str) -> None:
    async def play() -> tuple[int, str]:
        async with scene(kind) as it, it.knocking(url=f"{it.served.socket_url}/") as client:
            where = client.header("Location") or ""
            return client.status, where.replace(it.served.server, "UUID")

    assert on(network, play) == (301, "/api/servers/UUID/ws")


@everywhere
@row("6.2 deflate")
@pytest.mark.parametrize("offers", [True, False])
def test_only_a_newer_daemon_takes_an_offer_to_compress_and_compresses_too(
    kind: Kind, network: str, offers: bool
) -> None:
    async def play() -> tuple[str | None, int, str]:
        async with scene(kind) as it, it.knocking(headers={**OFFER} if offers else {}) as client:
            await client.say(STATS)
            frame = await client.hear()
            assert frame is not None
            return client.header("Sec-WebSocket-Extensions"), frame[0], words(frame)

    taken = (AGREED, DEFLATED) if offers and kind is PELICAN else (None, Opcode.TEXT)
    assert on(network, play) == (*taken, "jwt error")


# ---------------------------------------------------------------- messages


@everywhere
@row("7.5 frame size, raw")
@pytest.mark.parametrize("size", [4095, 4096, 4097, 40_000])
def test_a_newer_daemon_closes_for_a_message_over_4096_bytes(
    kind: Kind, network: str, size: int
) -> None:
    async def play() -> list[str]:
        async with scene(kind) as it, it.let_in() as client:
            await client.say(padded(size))
            return await all_heard(client)

    is_closed = kind is PELICAN and size > 4096
    assert on(network, play) == (["(closed 1009)", "(end)"] if is_closed else ["stats"])


@everywhere
@row("7.5 frame size, deflate", kinds=(PELICAN,))
def test_of_a_compressed_message_the_wire_counts_and_what_inflates_too_far_is_dropped(
    kind: Kind, network: str
) -> None:
    async def play() -> tuple[list[str], list[str]]:
        async with scene(kind) as it:
            async with it.let_in({**OFFER}) as client:
                for size in (4097, 28_000, 40_000):
                    await client.say(deflated(padded(size)), is_deflated=True)
                inflated = await all_heard(client)
            async with it.let_in({**OFFER}) as client:
                await client.say(deflated(padded(9000, with_noise=True)), is_deflated=True)
                return inflated, await heard(client, 2)

    assert on(network, play) == (["stats", "stats"], ["(closed 1009)", "(end)"])


@everywhere
@row("binary frames")
@pytest.mark.parametrize("cut", [0, 7])
def test_only_an_older_daemon_takes_binary_frames_in_one_or_in_several(
    kind: Kind, network: str, cut: int
) -> None:
    async def play() -> list[str]:
        async with scene(kind) as it, it.let_in() as client:
            await client.say(STATS[:cut], Opcode.BINARY, is_final=False)
            await client.say(STATS[cut:], Opcode.CONTINUATION)
            return await all_heard(client)

    assert on(network, play) == (["stats"] if kind is PTERODACTYL else [])


@everywhere
@row("fragments, pings")
def test_a_text_may_come_in_fragments_with_a_ping_in_between(kind: Kind, network: str) -> None:
    async def play() -> list[str]:
        async with scene(kind) as it, it.let_in() as client:
            await client.say(STATS[:5], is_final=False)
            await client.say(STATS[5:9], Opcode.CONTINUATION, is_final=False)
            await client.say("are you there", Opcode.PING)
            await client.say(STATS[9:], Opcode.CONTINUATION)
            return await all_heard(client)

    assert on(network, play) == ["(pong are you there)", "stats"]


@everywhere
@row("fragments, pings")
def test_a_hundred_pings_are_a_hundred_pongs_with_what_they_held(kind: Kind, network: str) -> None:
    async def play() -> list[str]:
        async with scene(kind) as it, it.knocking() as client:
            for number in range(100):
                await client.say(f"{number}", Opcode.PING)
            return await heard(client, 100)

    assert on(network, play) == [f"(pong {number})" for number in range(100)]


@everywhere
@row("unasked pong; invalid UTF-8")
def test_an_unasked_pong_is_ignored_and_a_command_of_broken_text_is_run(
    kind: Kind, network: str
) -> None:
    command = encode_client(SendCommand("say a?b")).encode().replace(b"?", b"\xff\xe2\x82")

    async def play() -> list[str]:
        async with scene(kind) as it:
            it.served.world.assume(PowerState.RUNNING, usage=Usage())
            async with it.let_in() as client:
                await client.say("nobody asked", Opcode.PONG)
                await client.say(command)
                told: list[str] = []
                while len(told) < 2:
                    frame = await client.hear()
                    if words(frame) != "stats" and frame is not None:
                        told += msgspec.json.decode(frame[1])["args"]
                return told

    broken = "a\ufffd\ufffd\ufffdb"
    assert on(network, play) == [f"say {broken}", f"[Server thread/INFO]: [Server] {broken}"]


# ---------------------------------------------------------------- ends


@everywhere
@row("unmasked / reserved opcode / reserved bits")
@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\x81\x02{}", "bad MASK"),
        (b"\x83\x80" + MASK, "bad opcode 3"),
        (b"\xf1\x80" + MASK, "RSV1 set, RSV2 set, RSV3 set"),
    ],
)
def test_a_broken_frame_ends_the_connection_with_a_word_about_it(
    kind: Kind, network: str, sent: bytes, why: str
) -> None:
    async def play() -> list[str]:
        async with scene(kind) as it, it.let_in() as client:
            await client.raw(sent)
            return await heard(client, 2)

    assert on(network, play) == [f"(closed 1002 {why})", "(end)"]


@everywhere
@row("client closes 1000, 1001, 4000")
@pytest.mark.parametrize("code", [1000, 1001, 4000, None])
def test_a_clients_goodbye_comes_back_with_its_code(
    kind: Kind, network: str, code: int | None
) -> None:
    async def play() -> bytes:
        async with scene(kind) as it, it.let_in() as client:
            said = b"" if code is None else code.to_bytes(2) + b"so long"
            await client.say(said, Opcode.CLOSE)
            return await client.hear_bytes()

    assert on(network, play) == encode_close(code)


@everywhere
@row("7.6 4409", kinds=(PELICAN,))
def test_whoever_comes_to_a_suspended_server_is_hung_up_on_after_the_close_frame(
    kind: Kind, network: str
) -> None:
    """Nothing is said in answer to it here, and yet the connection ends."""

    async def play() -> tuple[int, bytes]:
        async with scene(kind) as it:
            it.served.tell(ConditionChanged(is_suspended=True))
            async with it.knocking() as client:
                return client.status, await client.hear_bytes()

    assert on(network, play) == (101, b"\x88\x15\x11\x39server is suspended")


@pytest.mark.parametrize("kind", BOTH, ids=str)
def test_somebody_elses_client_is_spoken_to_in_the_way_that_was_agreed(kind: Kind) -> None:
    """The websockets library offers to compress, and reads both."""

    def visit(served: ServedModel) -> tuple[list[str], str]:
        with connect(served.socket_url, origin=Origin(served.panel_url)) as socket:
            socket.send(STATS)
            return [each.name for each in socket.protocol.extensions], str(socket.recv())

    async def play() -> tuple[list[str], str]:
        async with scene(kind) as it:
            return await trio.to_thread.run_sync(visit, it.served)

    names = ["permessage-deflate"] if kind is PELICAN else []
    assert on("loopback", play) == (names, '{"event":"jwt error","args":["jwt: no jwt present"]}\n')
