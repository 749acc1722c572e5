"""The rows of the probes about connecting, tokens and messages, each as a scene."""

import base64

import pytest

from automate.fake.model.claims import DENIED, EXPIRED, NO_CONNECT, NO_TOKEN, OTHER_SERVER
from automate.fake.model.daemon import Refusal
from automate.fake.model.frames import GENERIC
from automate.fake.model.settings import DEFAULT_SERVER, Kind
from automate.fake.model.signals import (
    ConditionChanged,
    NodeStarted,
    NodeStopped,
    Restored,
    SaidCompressed,
    SaidInBinary,
    TokensDenied,
    UserRevoked,
)
from tests.fake.model.scenes import ADMIN, FAILED, PELICAN, PTERODACTYL, Stage, row

ORIGIN = "https://panel.example.com"
GREETING = ["auth success", "status offline", "stats offline"]


def expired() -> str:
    return f"jwt error: {EXPIRED}"


# ---------------------------------------------------------------- the upgrade


@row("6.2 Origin")
@pytest.mark.parametrize(
    "origin",
    [None, "", "null", f"{ORIGIN}/", ORIGIN.upper(), "http://panel.example.com", "https://x.y"],
)
def test_any_origin_but_the_panels_own_is_forbidden(kind: Kind, origin: str | None) -> None:
    refusal = Stage(kind).world.daemon.admit(DEFAULT_SERVER, origin)

    assert refusal is not None
    assert (refusal.status, refusal.body.splitlines()[0]) == (403, "Forbidden")


@row("6.2 unknown uuid")
@pytest.mark.parametrize(
    "server", ["b1b2c3d4-0009-4000-8000-000000000009", DEFAULT_SERVER[:8], DEFAULT_SERVER.upper()]
)
def test_only_the_whole_uuid_in_small_letters_is_known(kind: Kind, server: str) -> None:
    told = '{"error":"The requested resource does not exist on this instance."}'

    assert Stage(kind).world.daemon.admit(server, "https://wrong") == Refusal(404, told)


@row("7.5 30 sockets")
def test_a_newer_daemon_takes_thirty_sockets_authenticated_or_not(kind: Kind) -> None:
    stage = Stage(kind)
    sockets = [stage.open() for _ in range(30)]
    full = stage.world.daemon.admit(DEFAULT_SERVER, ORIGIN)
    stage.leave(sockets[0])

    told = Refusal(400, '{"error":"Too many open websocket connections."}')
    assert full == (told if kind is PELICAN else None)
    assert stage.world.daemon.admit(DEFAULT_SERVER, ORIGIN) is None


# ---------------------------------------------------------------- frames


@row("7.5 frame size, raw")
def test_a_newer_daemon_closes_for_a_frame_over_4096_bytes(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    frame = '{"event":"send stats","args":["%s"]}'
    exact = frame % ("x" * (4096 - len(frame) + 2))
    stage.say_raw(socket, exact)
    stage.wait(0.01)
    first = stage.heard(socket)
    stage.say_raw(socket, exact + " ")
    stage.wait(0.01)

    closed = ["(closed 1009)"] if kind is PELICAN else ["stats offline"]
    assert (first, stage.heard(socket)) == (["stats offline"], closed)


@row("7.5 frame size, deflate", kinds=(PELICAN,))
def test_a_compressed_frame_may_inflate_beyond_the_limit_of_the_wire_but_not_too_far(
    kind: Kind,
) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    frame = '{"event":"send stats","args":["%s"]}'
    stage.tell(SaidCompressed(socket, frame % ("x" * 28000)))
    stage.tell(SaidCompressed(socket, frame % ("x" * 40000)))
    stage.wait(0.01)

    assert stage.heard(socket) == ["stats offline"]


@row("binary frames")
def test_only_an_older_daemon_takes_binary_frames(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.tell(SaidInBinary(socket, b'{"event":"send stats"}'))
    stage.wait(0.01)

    assert stage.heard(socket) == (["stats offline"] if kind is PTERODACTYL else [])


@row("broken JSON")
@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "", '{"event":"send stats"} x', '{"event":1}', '"x"', '{"Event":[]}'],
)
def test_what_is_no_message_is_dropped_in_silence(kind: Kind, text: str) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say_raw(socket, text)
    stage.wait(0.01)

    assert stage.heard(socket) == []


@row("JSON keys")
def test_keys_are_read_in_any_case_and_names_of_events_are_not(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say_raw(socket, '{"EVENT":"Send Stats"}')
    stage.say_raw(socket, '{"Event":"send stats","ARGS":[null]}')
    stage.wait(0.01)

    assert stage.heard(socket) == ["stats offline"]


@row("6.3 non-string args")
def test_a_command_without_args_is_an_empty_line_and_one_with_numbers_is_none(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.start(socket)
    for args in ("[1]", '"x"', "null", "[]", '["say ",null,"hi"]'):
        stage.say_raw(socket, f'{{"event":"send command","args":{args}}}')
        stage.wait(0.01)
    stage.say_raw(socket, '{"event":"send command"}')
    stage.wait(0.01)

    empty = "Unknown or incomplete command: "
    spoken = ["say hi", "[Server thread/INFO]: [Server] hi"]
    assert stage.events(socket) == [empty, empty, *spoken, empty]


# ---------------------------------------------------------------- tokens


@row("auth without args or garbage")
@pytest.mark.parametrize("how", ["no args", "[]", "garbage", "signature", "alg none", "empty"])
def test_a_token_that_is_none_is_a_daemon_error_and_a_good_one_is_taken_after_it(
    kind: Kind, how: str
) -> None:
    stage = Stage(kind)
    socket = stage.open()
    good = stage.token()
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    bad = {
        "no args": '{"event":"auth"}',
        "[]": '{"event":"auth","args":[]}',
        "garbage": '{"event":"auth","args":["not-a-jwt"]}',
        "signature": f'{{"event":"auth","args":["{good[:-4]}AAAA"]}}',
        "alg none": f'{{"event":"auth","args":["{head}.{good.split(".")[1]}."]}}',
        "empty": '{"event":"auth","args":[""]}',
    }
    stage.say_raw(socket, bad[how])
    stage.wait(0.01)
    refused = stage.heard(socket)
    stage.say(socket, "auth", good)
    stage.wait(0.01)

    assert (refused, stage.heard(socket)) == ([FAILED], GREETING)


@row("expired / before node boot / without websocket.connect")
@pytest.mark.parametrize(
    ("why", "problem"), [("expired", EXPIRED), ("boot", DENIED), ("connect", NO_CONNECT)]
)
def test_a_token_refused_leaves_the_socket_open_and_nobody_in(
    kind: Kind, why: str, problem: str
) -> None:
    stage = Stage(kind)
    old = stage.token()
    stage.wait(5)
    stage.tell(NodeStopped())
    stage.tell(NodeStarted())
    stage.wait(5)
    token = {
        "expired": stage.token(age=2, lifetime=1),
        "boot": old,
        # A pattern is no permission: `websocket.*` does not count.
        "connect": stage.token("websocket.*", "control.start"),
    }[why]
    socket = stage.open()
    stage.say(socket, "auth", token)
    stage.wait(0.01)
    stage.say(socket, "send stats", None)
    stage.wait(0.01)

    assert stage.heard(socket) == [f"jwt error (answer): {problem}", f"jwt error: {NO_TOKEN}"]


@row("no scope / other scope / a websocket")
@pytest.mark.parametrize(
    ("scope", "is_enough"), [(None, False), ("sftp", False), ("a websocket", True)]
)
def test_only_a_newer_daemon_asks_for_the_scope(
    kind: Kind, scope: str | None, is_enough: bool
) -> None:
    stage = Stage(kind)
    socket = stage.open()
    stage.say(socket, "auth", stage.token(scope=scope))
    stage.wait(0.01)

    taken = is_enough or kind is PTERODACTYL
    assert stage.heard(socket) == (GREETING if taken else [f"jwt error (answer): {NO_CONNECT}"])


@row("token of another server")
def test_another_servers_token_is_taken_and_then_every_event_is_refused(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.open()
    stage.say(socket, "auth", stage.token(server="another"))
    stage.wait(0.01)
    stage.say(socket, "send stats", None)
    stage.wait(0.01)

    told = stage.heard(socket)
    assert told[0] == "auth success"
    assert set(told[1:]) == {f"jwt error: {OTHER_SERVER}"}


@row("failed re-auth")
@pytest.mark.parametrize("how", ["garbage", "expired", "no connect"])
def test_a_failed_re_auth_leaves_the_old_token_in_force(kind: Kind, how: str) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    token, problem = {
        "garbage": ("x.y.z", FAILED),
        "expired": (stage.token(age=2, lifetime=1), f"jwt error (answer): {EXPIRED}"),
        "no connect": (stage.token("control.start"), f"jwt error (answer): {NO_CONNECT}"),
    }[how]
    stage.say(socket, "auth", token)
    stage.wait(0.01)
    stage.say(socket, "send stats", None)
    stage.wait(0.01)

    assert stage.heard(socket) == [problem, "stats offline"]


@row("6.4 re-auth")
def test_a_re_auth_is_only_acknowledged_and_fewer_permissions_hold_at_once(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.say(socket, "auth", stage.token("websocket.connect"))
    stage.wait(0.01)
    stage.say(socket, "set state", "start")
    stage.wait(1)

    assert stage.heard(socket) == ["auth success"]


# ---------------------------------------------------------------- order


@row("6.3 order")
def test_messages_sent_in_one_go_are_run_out_of_order_mostly_the_last_first(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.start(socket)
    for text in ("0", "1", "2"):
        stage.say(socket, "send command", f"say {text}")
    stage.wait(0.01)
    burst = [line for line in stage.events(socket) if line.startswith("say")]
    for text in ("3", "4", "5"):
        stage.say(socket, "send command", f"say {text}")
        stage.wait(0.002)
    spaced = [line for line in stage.events(socket) if line.startswith("say")]

    assert (burst, spaced) == (["say 2", "say 0", "say 1"], ["say 3", "say 4", "say 5"])


@row("6.3 message right after auth")
def test_a_message_right_behind_the_auth_is_lost_now_and_then(kind: Kind) -> None:
    lost = 0
    for seed in range(40):
        stage = Stage(kind, seed=seed)
        socket = stage.open()
        stage.say(socket, "auth", stage.token())
        stage.say(socket, "send stats", None)
        stage.wait(0.01)
        lost += f"jwt error: {NO_TOKEN}" in stage.heard(socket)

    assert 2 <= lost <= 20


@row("6.3 two auths in flight")
def test_two_auths_at_once_may_double_every_event(kind: Kind) -> None:
    greetings = []
    for seed in range(40):
        stage = Stage(kind, seed=seed)
        socket = stage.open()
        stage.say(socket, "auth", stage.token())
        stage.say(socket, "auth", stage.token())
        stage.wait(0.01)
        first = stage.heard(socket)
        stage.say(socket, "set state", "start")
        stage.wait(0.3)
        lines = stage.events(socket)
        greetings.append((first.count("status offline"), lines.count("status starting")))

    assert {(1, 1), (2, 2)} == set(greetings)
    assert 1 <= greetings.count((2, 2)) <= 15


# ---------------------------------------------------------------- expiry


@row("6.5 ticks")
def test_the_ticks_count_from_the_first_auth_and_warn_with_sixty_seconds_left(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect(lifetime=90)
    stage.wait(20)
    stage.say(socket, "auth", stage.token(lifetime=90))
    stage.wait(75)

    told = [(round(at), text) for at, text in stage.timed(socket)]
    assert told == [(20, "auth success"), (60, "token expiring"), (90, "token expiring")]


@row("6.5 after expiry")
def test_after_expiry_every_event_and_every_message_is_one_bare_error(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect(lifetime=40)
    stage.start(socket)
    stage.wait(40.9 - stage.at)
    stage.say(socket, "send stats", None)
    stage.wait(0.05)
    still = stage.heard(socket)[-1]
    stage.wait(41.1 - stage.at)
    stage.heard(socket)
    stage.say(socket, "send command", "say hi")
    stage.wait(0.01)
    stage.say(socket, "nope")
    stage.wait(0.01)
    asked = stage.heard(socket)
    stage.wait(86 - stage.at)
    flood = set(stage.heard(socket))
    stage.say(socket, "auth", stage.token())
    stage.wait(1.1)

    assert (still, asked, flood) == ("stats running", [expired(), expired()], {expired()})
    assert stage.heard(socket) == ["auth success", "stats running"]


@row("6.5 token expired")
@pytest.mark.parametrize(("late", "comes"), [(0.77, True), (0.97, True), (1.17, False)])
def test_token_expired_comes_when_the_tick_falls_into_the_last_second(
    kind: Kind, late: float, comes: bool
) -> None:
    stage = Stage(kind)
    token = stage.token(lifetime=600)
    stage.wait(late)
    socket = stage.open()
    stage.say(socket, "auth", token)
    stage.wait(601)

    last = "token expired" if comes else expired()
    assert stage.heard(socket) == [*GREETING, "token expiring", "token expiring", last]


@row("7.6 idle")
def test_an_idle_socket_is_left_alone_authenticated_or_not(kind: Kind) -> None:
    stage = Stage(kind)
    first, second = stage.open(), stage.connect()
    stage.wait(200)
    stage.say(first, "auth", stage.token())
    stage.wait(0.01)

    assert (stage.heard(first), stage.heard(second)) == (GREETING, [])


# ---------------------------------------------------------------- access taken away


@row("6.1 denylist by token id", "6.1 same second as the revocation")
def test_a_denied_token_is_refused_and_the_socket_goes_on_with_a_newer_one(kind: Kind) -> None:
    stage = Stage(kind)
    token = stage.token()
    socket = stage.connect()
    stage.tell(TokensDenied("jti-1"))
    same_second = stage.token()
    # A newer daemon lets through one auth in five seconds.
    for event, arg in (("send stats", None), ("auth", token), ("auth", same_second)):
        stage.say(socket, event, arg)
        stage.wait(6)
    stage.say(socket, "auth", stage.token())
    stage.wait(0.01)
    stage.say(socket, "send stats", None)
    stage.wait(0.01)
    said = stage.heard(socket)

    refused = f"jwt error (answer): {DENIED}"
    assert said == [f"jwt error: {DENIED}", refused, refused, "auth success", "stats offline"]


@row("7.6 user revocation")
def test_a_newer_daemon_drops_every_socket_when_a_user_is_revoked(kind: Kind) -> None:
    stage = Stage(kind)
    token = stage.token()
    first, second = stage.connect(), stage.open()
    stage.tell(UserRevoked("user-1"))
    third = stage.open()
    stage.say(third, "auth", token)
    stage.wait(1)

    if kind is PELICAN:
        dropped = ["(closed 1006)"]
        assert (stage.heard(first), stage.heard(second)) == (dropped, dropped)
        assert stage.heard(third) == [f"jwt error (answer): {DENIED}"]
    else:  # there is no such call yet
        assert (stage.heard(first), stage.heard(second)) == ([], [])
        assert stage.heard(third) == GREETING


@row("7.6 suspension by sync", "7.6 4409")
def test_a_suspension_stops_the_game_and_a_newer_daemon_lets_nobody_stay(kind: Kind) -> None:
    stage = Stage(kind)
    socket = stage.connect()
    stage.start(socket)
    stage.tell(ConditionChanged(is_suspended=True))
    stage.wait(3)
    told = stage.events(socket)
    late = stage.open()

    assert stage.state == "offline"
    if kind is PELICAN:
        assert (told, stage.heard(late)) == (
            ["(closed 1006)"],
            ["(closed 4409 server is suspended)"],
        )
    else:
        stage.say(late, "auth", stage.token())
        stage.wait(0.01)
        stage.say(late, "set state", "start")
        stage.wait(0.01)
        assert (told[0], told[-1]) == ("status stopping", "status offline")
        assert stage.heard(late) == [*GREETING, FAILED]


@row("7.6 backup restore running")
def test_during_a_restore_a_newer_daemon_takes_nobody_and_drops_who_speaks(kind: Kind) -> None:
    stage = Stage(kind)
    speaks, silent = stage.connect(*ADMIN), stage.connect()
    stage.tell(ConditionChanged(is_restoring=True))
    late = stage.open()
    stage.say(speaks, "set state", "start")
    stage.wait(1)
    stage.tell(Restored())
    ended = ["daemon message: Completed server restoration from local backup."]
    ended.append("backup restore completed: ")

    if kind is PELICAN:
        assert stage.heard(late) == ["(closed 4409 server is suspended)"]
        assert stage.heard(speaks) == ["(closed 1006)"]
    else:
        problem = "daemon error: server is currently being restored"
        assert stage.heard(speaks) == [problem, *ended]
    assert stage.heard(silent) == ended


# ---------------------------------------------------------------- the node itself


@row("7.6 node stopped", "after node start", "game that died while the node was down")
@pytest.mark.parametrize("dies", [False, True])
def test_a_node_restart_drops_everyone_and_the_game_goes_on_or_is_found_offline(
    kind: Kind, dies: bool
) -> None:
    stage = Stage(kind)
    old = stage.token()
    socket = stage.connect()
    stage.start(socket)
    stage.tell(NodeStopped())
    dropped = stage.heard(socket)
    if dies:
        stage.world.game.kill(stage.at)
    stage.wait(3.5)
    stage.tell(NodeStarted())
    stage.wait(1)
    back = stage.open()
    stage.say(back, "auth", old)
    stage.wait(0.01)
    stage.say(back, "auth", stage.token())
    stage.wait(0.01)
    greeted = stage.events(back)
    stage.say(back, "send command", "say hi")
    stage.wait(3)

    assert dropped == ["(closed 1006)"]
    state = "offline" if dies else "running"
    refused = f"jwt error (answer): {DENIED}"
    assert greeted == [refused, "auth success", f"status {state}"]
    answer = [] if dies else ["say hi", "[Server thread/INFO]: [Server] hi"]
    assert stage.events(back) == answer


def test_what_is_generic_for_others_is_told_to_an_admin() -> None:
    """The text behind a `daemon error` is for `admin.websocket.errors` alone (PROTOCOL 7.3)."""
    stage = Stage()
    admin, owner = stage.connect(*ADMIN), stage.connect()
    for socket in (admin, owner):
        stage.say(socket, "set state", "explode")
        stage.wait(0.01)

    assert stage.heard(admin) == ["daemon error: attempting to handle unknown power action"]
    assert stage.heard(owner) == [f"daemon error: {GENERIC}"]
