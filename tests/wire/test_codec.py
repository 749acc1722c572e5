"""Frames and messages: every event once as it really looks, then anything at all."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automate.errors import MessageError
from automate.wire import messages as m
from automate.wire.codec import (
    ABSENT,
    canonical_client,
    canonical_server,
    client_message,
    decode_client,
    decode_server,
    encode_client,
    encode_server,
    server_message,
)
from tests.wire import strategies

# The frames of the notes on the protocol (7.1 to 7.3) and of the recordings, to the byte.
SAID_BY_SERVERS: list[tuple[str, m.ServerMessage]] = [
    (r'{"event":"auth success"}', m.AuthSucceeded()),
    (r'{"event":"status","args":["offline"]}', m.StatusChanged(m.PowerState.OFFLINE)),
    (r'{"event":"status","args":["starting"]}', m.StatusChanged(m.PowerState.STARTING)),
    (r'{"event":"status","args":["running"]}', m.StatusChanged(m.PowerState.RUNNING)),
    (r'{"event":"status","args":["stopping"]}', m.StatusChanged(m.PowerState.STOPPING)),
    (
        r'{"event":"console output","args":["\u003cAda\u003e R\u0026D ✓ \u001b[0m\u2028"]}',
        m.ConsoleOutput("<Ada> R&D ✓ \x1b[0m\u2028"),
    ),
    (
        r'{"event":"stats","args":["{\"cpu_absolute\":37.512,\"disk_bytes\":5368709120,'
        r"\"disk_io\":{\"read_bytes\":1,\"write_bytes\":2},\"memory_bytes\":1734512640,"
        r"\"memory_limit_bytes\":4724464025,\"network\":{\"rx_bytes\":1048576,"
        r'\"tx_bytes\":2097152},\"state\":\"running\",\"uptime\":3600123}"]}',
        m.StatsReported(
            m.Stats(
                state="running",
                memory_bytes=1734512640,
                memory_limit_bytes=4724464025,
                cpu_percent=37.512,
                disk_bytes=5368709120,
                uptime_seconds=3600.123,
                network_received_bytes=1048576,
                network_sent_bytes=2097152,
                disk_read_bytes=1,
                disk_written_bytes=2,
            )
        ),
    ),
    (r'{"event":"stats","args":["{}"]}', m.StatsReported(m.Stats())),
    (r'{"event":"token expiring"}', m.TokenExpiring()),
    (r'{"event":"token expired"}', m.TokenExpired()),
    (
        r'{"event":"jwt error","args":["jwt: exp claim is invalid"]}',
        m.JwtErrorReported("jwt: exp claim is invalid"),
    ),
    (
        r'{"event":"daemon error","args":["Error Event [U]: filesystem: not enough disk space"]}',
        m.DaemonErrorReported("Error Event [U]: filesystem: not enough disk space"),
    ),
    (r'{"event":"throttled","args":["global"]}', m.Throttled("global")),
    (r'{"event":"install started","args":[""]}', m.InstallStarted()),
    (r'{"event":"install output","args":["Unpacking"]}', m.InstallOutput("Unpacking")),
    (r'{"event":"install completed","args":[""]}', m.InstallCompleted()),
    (
        r'{"event":"daemon message","args":["(restoring): world/level.dat"]}',
        m.DaemonMessage("(restoring): world/level.dat"),
    ),
    (
        r'{"event":"backup completed","args":["{\"checksum\":\"9f86\",\"checksum_type\":\"sha1\",'
        r'\"file_size\":734003200,\"is_successful\":true,\"uuid\":\"c3d9\"}"]}',
        m.BackupCompleted(
            uuid="c3d9",
            is_successful=True,
            checksum="9f86",
            checksum_type="sha1",
            size_bytes=734003200,
        ),
    ),
    (r'{"event":"backup restore completed","args":[""]}', m.BackupRestoreCompleted()),
    (r'{"event":"transfer logs","args":["Archiving"]}', m.TransferLogged("Archiving")),
    (r'{"event":"transfer status","args":["failure"]}', m.TransferStatusChanged("failure")),
    (r'{"event":"deleted","args":["null"]}', m.Deleted()),
    (
        r'{"event":"feature match","args":["{\"key\":\"eula\",\"line\":\"\\u003cagree?\\u003e\",'
        r'\"pattern\":\"agree\"}"]}',
        m.FeatureMatched(key="eula", line="<agree?>", pattern="agree"),
    ),
]

SAID_BY_CLIENTS: list[tuple[str, m.ClientMessage]] = [
    ('{"event":"auth","args":["a.b.c"]}', m.Auth("a.b.c")),
    ('{"event":"send stats","args":[null]}', m.SendStats()),
    ('{"event":"send logs","args":[null]}', m.SendLogs()),
    ('{"event":"set state","args":["kill"]}', m.SetState(m.PowerAction.KILL)),
    ('{"event":"send command","args":["say <hi> ✓"]}', m.SendCommand("say <hi> ✓")),
]


@pytest.mark.parametrize(("frame", "message"), SAID_BY_SERVERS)
def test_each_event_of_a_server_is_read_and_written_to_the_byte(
    frame: str, message: m.ServerMessage
) -> None:
    frame += "\n"

    assert (decode_server(frame), encode_server(message)) == (message, frame)


@pytest.mark.parametrize(("frame", "message"), SAID_BY_CLIENTS)
def test_each_event_of_a_client_is_read_and_written_to_the_byte(
    frame: str, message: m.ClientMessage
) -> None:
    assert (decode_client(frame), encode_client(message)) == (message, frame)


def test_no_kind_of_message_is_left_out_above() -> None:
    shown = {type(message) for _, message in [*SAID_BY_SERVERS, *SAID_BY_CLIENTS]}

    assert shown == {*m.ServerMessage.__args__, *m.ClientMessage.__args__} - {m.Unknown}


def test_an_old_daemon_has_the_uuid_in_the_event() -> None:
    data = r'["{\"is_successful\":false,\"uuid\":\"c3d9\"}"]'

    assert decode_server(f'{{"event":"backup completed:c3d9","args":{data}}}') == (
        m.BackupCompleted(uuid="c3d9", is_successful=False)
    )


def test_stats_in_any_order_with_news_in_them_are_stats() -> None:
    said = '{"uptime":1500.0,"gpu":{"x":[1]},"state":null,"network":null,"memory_bytes":7}'

    assert server_message("stats", [said, "more"]) == m.StatsReported(
        m.Stats(uptime_seconds=1.5, memory_bytes=7)
    )


@pytest.mark.parametrize(
    ("frame", "event", "args"),
    [
        ("", None, None),
        ("{", None, None),
        ("[]", None, None),
        ('"x"', None, None),
        ("null", None, None),
        ("{}", None, None),
        ('{"event":1}', None, None),
        ('{"event":"status","args":["running"]} {}', None, None),
        ("[" * 100_000, None, None),
        ('{"event":"weather","args":["sunny"]}', "weather", ["sunny"]),
        ('{"Event":"token expired"}', None, None),
        ('{"event":"Token expired"}', "Token expired", None),
        ('{"event":"token expired","args":"now"}', "token expired", "now"),
        ('{"event":"status"}', "status", None),
        ('{"event":"status","args":null}', "status", None),
        ('{"event":"status","args":"running"}', "status", "running"),
        ('{"event":"status","args":["melting"]}', "status", ["melting"]),
        ('{"event":"status","args":["running","x"]}', "status", ["running", "x"]),
        ('{"event":"console output","args":[]}', "console output", []),
        ('{"event":"console output","args":[7]}', "console output", [7]),
        ('{"event":"stats","args":["{"]}', "stats", ["{"]),
        ('{"event":"stats","args":["[]"]}', "stats", ["[]"]),
        ('{"event":"stats","args":["{\\"uptime\\":1.5}"]}', "stats", ['{"uptime":1.5}']),
        ('{"event":"stats","args":["{\\"uptime\\":1e300}"]}', "stats", ['{"uptime":1e300}']),
        ('{"event":"backup completed","args":["{}"]}', "backup completed", ["{}"]),
        ('{"event":"feature match","args":["{}"]}', "feature match", ["{}"]),
    ],
)
def test_what_is_not_understood_is_kept_whole(frame: str, event: str | None, args: Any) -> None:
    message = decode_server(frame)

    assert (message, encode_server(message)) == (m.Unknown(frame, event, args), frame)


def test_an_event_without_its_frame_gets_the_frame_it_would_have_had() -> None:
    assert [server_message("weather"), server_message("weather", ["<sunny>"])] == [
        m.Unknown('{"event":"weather"}\n', "weather"),
        m.Unknown('{"event":"weather","args":["\\u003csunny\\u003e"]}\n', "weather", ["<sunny>"]),
    ]


@given(frame=st.text() | strategies.frames(json.dumps).map(json.dumps))
@example('{"event":"stats","args":["{\\"x\\":' + "[" * 100_000 + '"]}')
@example('{"event":"console output","args":["\\ud800"]}')
@example("\ud800")
def test_reading_never_fails(frame: str) -> None:
    """Whatever comes, each side makes a message of it, and loses nothing of what it can't use."""
    unknown = [
        message.text
        for message in (decode_server(frame), decode_client(frame))
        if isinstance(message, m.Unknown)
    ]

    assert unknown in ([], [frame], [frame, frame])


@given(strategies.server_messages)
def test_what_a_server_says_comes_back(message: m.ServerMessage) -> None:
    frame = encode_server(message)

    assert (decode_server(frame), frame.count("\n"), frame[-1]) == (message, 1, "\n")


@given(strategies.client_messages)
def test_what_a_client_says_comes_back(message: m.ClientMessage) -> None:
    assert decode_client(encode_client(message)) == message


@given(event=strategies.text, args=strategies.json_values | st.just(ABSENT))
def test_canonical_frames_are_the_same_json_from_either_end(event: str, args: Any) -> None:
    frame = {"event": event} if args is ABSENT else {"event": event, "args": args}
    texts = [canonical_server(event, args), canonical_client(event, args)]

    assert [json.loads(text) for text in texts] == [frame, frame]
    assert not set(texts[0]) & set("<>&\u2028\u2029")


# ---------------------------------------------------------------- what must not be sent


@pytest.mark.parametrize(
    ("event", "args", "error"),
    [
        ("auth", ABSENT, "auth: expected exactly one string, found no args"),
        ("auth", None, "auth: expected exactly one string, found null"),
        ("auth", [], "auth: expected exactly one string, found 0 args"),
        ("auth", ["secret", "secret"], "auth: expected exactly one string, found 2 args"),
        ("auth", "secret", "auth: expected exactly one string, found str"),
        ("auth", [""], "auth: expected a token as one string, found an empty string"),
        ("set state", ABSENT, "set state: expected exactly one string, found no args"),
        ("set state", None, "set state: expected exactly one string, found null"),
        ("set state", ["st", "op"], 'set state: expected exactly one string, found ["st","op"]'),
        (
            "set state",
            ["explode"],
            "set state: expected one of start, stop, restart, kill; found 'explode'",
        ),
        ("send command", ABSENT, "send command: expected exactly one string, found no args"),
        ("send command", [7], "send command: expected exactly one string, found [7]"),
        (
            "send command",
            ["say hi\nstop"],
            "send command: expected one line without control characters, "
            r"found '\n' in 'say hi\nstop'",
        ),
        (
            "send command",
            ["\x7f"],
            r"send command: expected one line without control characters, found '\x7f' in '\x7f'",
        ),
        (
            "send command",
            ["\ud800"],
            "send command: expected one line without control characters, "
            r"found '\ud800' in '\ud800'",
        ),
        (
            "send command",
            ["x" * 4061],
            "send command: expected a frame of at most 4096 bytes, found 4097; "
            "newer daemons close the connection for it",
        ),
        (
            "send command",
            ["é" * 2031],
            "send command: expected a frame of at most 4096 bytes, found 4098; "
            "newer daemons close the connection for it",
        ),
        (
            "send command",
            ["é" * 2048],
            "send command: expected at most 4095 bytes, found 4096; "
            "the game's terminal would cut the rest",
        ),
        ("send stats", ABSENT, "send stats: expected [null], found no args"),
        ("send stats", [], "send stats: expected [null], found []"),
        ("send logs", None, "send logs: expected [null], found null"),
        ("send logs", [None, None], "send logs: expected [null], found [null,null]"),
        (
            "status",
            ["running"],
            "expected one of auth, send stats, send logs, set state, send command; found 'status'",
        ),
    ],
)
def test_a_refusal_says_what_was_expected(event: str, args: Any, error: str) -> None:
    with pytest.raises(MessageError) as refused:
        client_message(event, args)

    assert str(refused.value) == error


def test_the_longest_command_just_fits() -> None:
    longest = m.SendCommand("é" * 2030)

    assert len(encode_client(longest).encode()) == m.FRAME_LIMIT_BYTES
    assert decode_client(encode_client(longest)) == longest


def test_what_a_client_must_not_send_is_unknown_to_the_other_end() -> None:
    frame = '{"event":"set state","args":["explode"]}'

    assert decode_client(frame) == m.Unknown(frame, "set state", ["explode"])
