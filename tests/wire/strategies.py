"""Anything that could be said on the wire, for Hypothesis to choose from."""

from typing import Any

from hypothesis import strategies as st

from automate.wire import messages as m

text = st.text(st.characters(exclude_categories=["Cs"]))
whole = st.integers(-(2**63), 2**64 - 1)
# What a double keeps exactly when it is divided by a thousand and multiplied again.
milliseconds = st.integers(-(2**40), 2**40)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


stats = st.builds(
    m.Stats,
    state=maybe(text),
    memory_bytes=maybe(whole),
    memory_limit_bytes=maybe(whole),
    cpu_percent=maybe(st.floats(allow_nan=False, allow_infinity=False)),
    disk_bytes=maybe(whole),
    uptime_seconds=maybe(milliseconds.map(lambda number: number / 1000)),
    network_received_bytes=maybe(whole),
    network_sent_bytes=maybe(whole),
    disk_read_bytes=maybe(whole),
    disk_written_bytes=maybe(whole),
)

server_messages: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            m.AuthSucceeded(),
            m.TokenExpiring(),
            m.TokenExpired(),
            m.InstallStarted(),
            m.InstallCompleted(),
            m.BackupRestoreCompleted(),
            m.Deleted(),
        ]
    ),
    st.builds(m.StatusChanged, st.sampled_from(m.PowerState)),
    st.builds(m.ConsoleOutput, text),
    st.builds(m.StatsReported, stats),
    st.builds(m.JwtErrorReported, text),
    st.builds(m.DaemonErrorReported, text),
    st.builds(m.Throttled, text),
    st.builds(m.InstallOutput, text),
    st.builds(m.DaemonMessage, text),
    st.builds(
        m.BackupCompleted,
        uuid=text,
        is_successful=st.booleans(),
        checksum=text,
        checksum_type=text,
        size_bytes=whole,
    ),
    st.builds(m.TransferLogged, text),
    st.builds(m.TransferStatusChanged, text),
    st.builds(m.FeatureMatched, key=text, line=text, pattern=text),
)

# 600 characters of four bytes each stay below the limit of 4096 for a frame.
commands = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x7f", min_codepoint=32),
    max_size=600,
)
client_messages: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([m.SendStats(), m.SendLogs()]),
    st.builds(m.Auth, text.filter(bool)),
    st.builds(m.SetState, st.sampled_from(m.PowerAction)),
    st.builds(m.SendCommand, commands),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)

SERVER_EVENTS = [kind.event for kind in m.ServerMessage.__args__ if kind is not m.Unknown]
CLIENT_EVENTS = [kind.event for kind in m.ClientMessage.__args__]

_field = st.sampled_from(
    [
        *("state", "memory_bytes", "memory_limit_bytes", "cpu_absolute", "disk_bytes", "uptime"),
        *("network", "disk_io", "rx_bytes", "tx_bytes", "read_bytes", "write_bytes"),
        *("uuid", "is_successful", "checksum", "checksum_type", "file_size"),
        *("key", "line", "pattern", "else"),
    ]
)
_numbers = st.sampled_from([0, -1, 1.0, 1.5, 2**63, 2**64, 2.0**64, -(2**63) - 1, 1e308, 10**400])
_inner = st.none() | st.booleans() | _numbers | text
# JSON near what stats, backups and features carry: right fields with right and wrong values.
payloads: st.SearchStrategy[Any] = st.dictionaries(
    _field, _inner | st.dictionaries(_field, _inner, max_size=2), max_size=4
)
_near = st.sampled_from(
    [
        *("", "start", "stop", "explode", "offline", "running", "say hi", "a\nb", "\x7f"),
        *("x" * 4060, "x" * 4061, "é" * 2030, "é" * 2031, '"' * 2030, '"' * 2031),
        *("{}", "{", "[]", '{"uuid":"u","is_successful":true}'),
        *('{"key":"k"}', '{"key":"k"} ', '{"key":"k"}{'),
    ]
)


def args(dumps: Any) -> st.SearchStrategy[Any]:
    """Args of a frame, right ones and wrong ones; *dumps* writes JSON into a string."""
    one = st.none() | _near | text | payloads.map(dumps) | json_values
    return st.none() | st.lists(one, max_size=3) | st.lists(one, min_size=1, max_size=1) | one


def frames(dumps: Any) -> st.SearchStrategy[Any]:
    """Frames as JSON values, near the rules on both sides of them."""
    event = st.sampled_from([*SERVER_EVENTS, *CLIENT_EVENTS, "nope", "backup completed:c3d9"])
    return (
        st.fixed_dictionaries({"event": event, "args": args(dumps)})
        | st.fixed_dictionaries({"event": event}, optional={"args": args(dumps), "more": text})
        | st.fixed_dictionaries({}, optional={"event": json_values, "args": json_values})
        | json_values
    )
