"""The node's frames, held against somebody else's client (wsproto) and against the probes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol
from wsproto.frame_protocol import Opcode as PeersOpcode

from automate.fake.framing import (
    FrameReader,
    Goodbye,
    Happening,
    Opcode,
    Ping,
    encode_close,
    encode_frame,
    encode_text,
    read_text,
)

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
MASK = b"mask"
TEXTS = st.text(max_size=300) | st.sampled_from(["a" * 126, "b" * 65536, "\u20ac" * 30000])
# Each message of a client: what it says, where it is cut into frames, and a ping before each.
MESSAGES = st.lists(
    st.tuples(TEXTS | st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=3)),
    max_size=5,
)
CUTS = st.lists(st.integers(0, 400), max_size=20)


def peer(*, deflates: bool) -> FrameProtocol:
    """Return a client's end that is not ours."""
    extension = PerMessageDeflate()
    extension.offer()
    extension.finalize(AGREED)
    return FrameProtocol(client=True, extensions=[extension] if deflates else [])


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


def read(
    *pieces: bytes | bytearray,
    deflates: bool = False,
    limit_bytes: int = 1 << 20,
    reader: FrameReader | None = None,
) -> list[Happening]:
    reader = reader or FrameReader(deflates=deflates, limit_bytes=limit_bytes)
    return [happening for piece in pieces for happening in reader.feed(piece)]


# ---------------------------------------------------------------- both ways


@given(MESSAGES, CUTS, st.booleans())
def test_what_a_client_says_is_heard_however_it_is_cut_into_frames_and_pieces(
    messages: list[tuple[str | bytes, list[int]]], cuts: list[int], deflates: bool
) -> None:
    client, sent, expected = peer(deflates=deflates), b"", list[Happening]()
    for payload, places in messages:
        ends = [*sorted(min(place, len(payload)) for place in places), len(payload)]
        begin = 0
        for number, end in enumerate(ends):
            # wsproto's own compression can't be fed nothing in the middle of a message.
            if number and begin == end and number < len(ends) - 1:
                continue
            sent += client.ping(b"%d" % number)
            sent += client.send_data(payload[begin:end], fin=number == len(ends) - 1)
            expected.append(Ping(b"%d" % number))
            begin = end
        expected.append(payload)

    assert read(*in_pieces(sent, cuts), deflates=deflates) == expected


@given(st.lists(TEXTS, max_size=5), CUTS, st.booleans())
def test_what_the_node_says_is_what_a_client_hears(
    texts: list[str], cuts: list[int], deflates: bool
) -> None:
    client, heard = peer(deflates=deflates), ""
    sent = b"".join(encode_text(text, deflates=deflates) for text in texts)
    for piece in in_pieces(sent, cuts):
        client.receive_bytes(piece)
        for frame in client.received_frames():
            assert frame.opcode is PeersOpcode.TEXT
            heard += str(frame.payload) + "\n" * frame.message_finished

    assert heard == "".join(f"{text}\n" for text in texts)


@given(st.sampled_from([1000, 1001, 1011, 4409]), st.text(max_size=30))
def test_a_goodbye_is_what_a_client_hears(code: int, reason: str) -> None:
    client = peer(deflates=False)
    client.receive_bytes(encode_close(code, reason))

    assert [frame.payload for frame in client.received_frames()] == [(code, reason)]


# ---------------------------------------------------------------- anything at all


FRAMES = st.builds(
    encode_frame,
    st.sampled_from(Opcode),
    st.binary(max_size=140),
    is_final=st.booleans(),
    is_deflated=st.booleans(),
    mask=st.none() | st.binary(min_size=4, max_size=4),
)


@given(st.lists(FRAMES | st.binary(max_size=12), max_size=6).map(b"".join), CUTS, st.booleans())
def test_in_which_pieces_bytes_come_makes_no_difference_and_after_a_goodbye_nothing_comes(
    data: bytes, cuts: list[int], deflates: bool
) -> None:
    whole = read(data, deflates=deflates, limit_bytes=200)

    assert read(*in_pieces(data, cuts), deflates=deflates, limit_bytes=200) == whole
    assert not any(isinstance(happening, Goodbye) for happening in whole[:-1])


@given(st.binary(max_size=60))
def test_broken_text_is_read_byte_by_byte_as_go_reads_it(data: bytes) -> None:
    """Each byte that is no UTF-8 is one U+FFFD, and the others stay what they are."""
    expected, rest = "", data
    while rest:
        for size in range(1, 5):
            try:
                expected += rest[:size].decode()
            except UnicodeDecodeError:
                continue
            rest = rest[size:]
            break
        else:
            expected, rest = expected + "\ufffd", rest[1:]

    assert read_text(data) == expected


# ---------------------------------------------------------------- what the probes say


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (encode_frame(Opcode.TEXT, b"hi"), "bad MASK"),
        (b"\x83\x80", "bad opcode 3"),
        (b"\xf1\x80", "RSV1 set, RSV2 set, RSV3 set"),
        (encode_frame(Opcode.PING, b"x" * 126, mask=MASK), "len > 125 for control"),
        (encode_frame(Opcode.PING, b"", is_final=False, mask=MASK), "FIN not set on control"),
        (encode_frame(Opcode.CONTINUATION, b"", mask=MASK), "continuation after FIN"),
        (encode_frame(Opcode.TEXT, b"", is_final=False, mask=MASK) * 2, "data before FIN"),
        (b"\x4b\x00", "RSV1 set, bad opcode 11, bad MASK"),
        (encode_frame(Opcode.CLOSE, b"\x03\xed", mask=MASK), "bad close code 1005"),
        (
            encode_frame(Opcode.CLOSE, b"\x03\xe8\xff", mask=MASK),
            "invalid utf8 payload in close frame",
        ),
    ],
)
def test_broken_frames_are_refused_with_all_that_is_wrong_with_their_first_bytes(
    sent: bytes, reason: str
) -> None:
    assert read(sent) == [Goodbye(1002, reason)]


def test_where_compression_was_agreed_its_bit_is_no_mistake() -> None:
    assert read(b"\xf1\x80", deflates=True) == [Goodbye(1002, "RSV2 set, RSV3 set")]


@pytest.mark.parametrize(("sent", "code"), [(b"", None), (b"\x03", None), (b"\x0f\xa0bye", 4000)])
def test_a_clients_goodbye_is_answered_with_its_own_code_and_no_reason(
    sent: bytes, code: int | None
) -> None:
    assert read(encode_frame(Opcode.CLOSE, sent, mask=MASK)) == [Goodbye(code)]


@pytest.mark.parametrize("sizes", [[4097], [4000, 97], [1 << 40]])
def test_a_message_too_big_is_refused_at_the_header_that_makes_it_so(sizes: list[int]) -> None:
    """What its header promises need not come first: nobody's memory is that large."""
    reader = FrameReader(deflates=False, limit_bytes=4096)
    *before, last = sizes
    for size in before:
        frame = encode_frame(Opcode.TEXT, b"x" * size, is_final=False, mask=MASK)
        assert read(frame, reader=reader) == []
    opcode = Opcode.CONTINUATION if before else Opcode.TEXT
    header = bytes([0x80 | opcode, 0xFF]) + last.to_bytes(8)

    assert read(header, reader=reader) == [Goodbye(1009)]


@pytest.mark.parametrize("cut", [0, 1000])
def test_a_message_of_exactly_that_size_is_read(cut: int) -> None:
    sent = peer(deflates=False).send_data("x" * cut, fin=False)
    sent += encode_frame(Opcode.CONTINUATION, b"x" * (4096 - cut), mask=MASK)

    assert read(sent, limit_bytes=4096) == ["x" * 4096]


def test_of_a_compressed_message_the_bytes_on_the_wire_count() -> None:
    sent = peer(deflates=True).send_data("x" * 100_000)

    assert len(sent) < 1000
    assert read(sent, deflates=True, limit_bytes=1000) == ["x" * 100_000]


def test_what_can_not_be_inflated_ends_the_connection_without_a_word() -> None:
    garbage = encode_frame(Opcode.TEXT, b"\xff\xff", is_deflated=True, mask=MASK)

    assert read(garbage, deflates=True) == [Goodbye(1006)]


def test_a_lone_surrogate_goes_out_as_the_sign_for_what_can_not_be_shown() -> None:
    assert encode_text("a\udcff") == encode_frame(Opcode.TEXT, "a\ufffd".encode())
