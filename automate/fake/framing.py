"""The frames of a websocket at the daemon's end: bytes in, messages out, and the way back.

Nothing here reads or sends, so that a test is a list of bytes. It is not left to a library, for
the daemon's own is the measure: what it answers to broken frames, and how it reads broken text.
Sources: RFC 6455 and 7692; PROBED 2; the texts that were not probed are those of the daemon's
library (gorilla/websocket 1.5.3, PROTOCOL 11).
"""

import re
import zlib
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NoReturn

from attrs import define, frozen

__all__ = [
    "ABNORMAL",
    "FrameReader",
    "Goodbye",
    "Happening",
    "Opcode",
    "Ping",
    "encode_close",
    "encode_frame",
    "encode_text",
    "read_text",
]

ABNORMAL: Final = 1006
"""An end without a close frame: no code that a frame could carry."""

_FINAL: Final = 0x80
_RESERVED: Final = {0x40: "RSV1 set", 0x20: "RSV2 set", 0x10: "RSV3 set"}
_DEFLATED: Final = 0x40
_MASKED: Final = 0x80
_CONTROL: Final = 0x8
_CONTROL_BYTES: Final = 125
_NO_CODE: Final = 1005
# What a flush leaves behind, and both ends leave out (RFC 7692, 7.2.1).
_FLUSHED: Final = b"\x00\x00\xff\xff"
# The library's own choice: quickly rather than well.
_DEFLATE_LEVEL: Final = 1
# Of a message that inflates to more than this the rest is cut off; nobody takes one as long.
_INFLATED_BYTES: Final = 1 << 24
_PROTOCOL_ERROR: Final = 1002
_TOO_BIG: Final = 1009
_RECEIVABLE: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1014), *range(3000, 5000)})


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


@frozen
class Ping:
    """The client asks whether somebody is there: the answer is a pong with the same *payload*."""

    payload: bytes


@frozen
class Goodbye:
    """Nothing more is read: a close frame with this *code* and *reason* is to be sent, the last.

    ``None`` is a close frame without a code, 1006 no frame at all.
    """

    code: int | None
    reason: str = ""


Happening = str | bytes | Ping | Goodbye


# ---------------------------------------------------------------- reading


@define
class _Message:
    """A message of which not all frames are there."""

    opcode: int
    is_deflated: bool
    payload: bytearray


class _Ended(Exception):
    """The connection can't go on; *goodbye* says how it ends."""

    def __init__(self, goodbye: Goodbye) -> None:
        super().__init__(goodbye)
        self.goodbye = goodbye


class FrameReader:
    """Reads a client's frames; *deflates*: it was agreed that they may be compressed.

    A message of more than *limit_bytes* on the wire is refused as soon as its header says so.
    """

    def __init__(self, *, deflates: bool, limit_bytes: int) -> None:
        self._deflates = deflates
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._message: _Message | None = None
        self._is_over = False

    def feed(self, data: bytes | bytearray) -> list[Happening]:
        """Return what has come with *data*, in order; after a `Goodbye` nothing does.

        Messages are texts or bytes, a pong is nothing at all.
        """
        if self._is_over:
            return []
        self._buffer += data
        found: list[Happening] = []
        try:
            while (frame := self._take_frame()) is not None:
                found += self._take_in(*frame)
        except _Ended as ended:
            self._is_over = True
            self._buffer.clear()
            found.append(ended.goodbye)
        return found

    def _take_frame(self) -> tuple[int, bytes] | None:
        """Return the first byte and the payload of the next frame, ``None`` if it is not there."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        if problems := self._problems(first, second):
            _refuse(_PROTOCOL_ERROR, ", ".join(problems))
        size, start = second & ~_MASKED, 2
        if size > _CONTROL_BYTES:
            start += 2 if size == 126 else 8
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start])
        if not first & _CONTROL:
            before = 0 if self._message is None else len(self._message.payload)
            if before + size > self._limit_bytes:
                _refuse(_TOO_BIG)
        begin = start + 4
        if len(buffer) < begin + size:
            return None
        payload = _masked(buffer[begin : begin + size], key=buffer[start:begin])
        del buffer[: begin + size]
        return first, payload

    def _problems(self, first: int, second: int) -> list[str]:
        """Return all that is wrong with the first two bytes of a frame."""
        allowed = _DEFLATED if self._deflates else 0
        problems = [text for bit, text in _RESERVED.items() if first & bit & ~allowed]
        match first & 0xF:
            case Opcode.CLOSE | Opcode.PING | Opcode.PONG:
                if second & ~_MASKED > _CONTROL_BYTES:
                    problems.append("len > 125 for control")
                if not first & _FINAL:
                    problems.append("FIN not set on control")
            case Opcode.TEXT | Opcode.BINARY:
                if self._message is not None:
                    problems.append("data before FIN")
            case Opcode.CONTINUATION:
                if self._message is None:
                    problems.append("continuation after FIN")
            case opcode:
                problems.append(f"bad opcode {opcode}")
        if not second & _MASKED:
            problems.append("bad MASK")
        return problems

    def _take_in(self, first: int, payload: bytes) -> Iterable[Happening]:
        match first & 0xF:
            case Opcode.CLOSE:
                raise _Ended(_answer_close(payload))
            case Opcode.PING:
                return [Ping(payload)]
            case Opcode.PONG:
                return []
            case opcode:
                message = self._message or _Message(opcode, bool(first & _DEFLATED), bytearray())
        message.payload += payload
        is_whole = bool(first & _FINAL)
        self._message = None if is_whole else message
        return [_whole(message)] if is_whole else []


def _refuse(code: int, reason: str = "") -> NoReturn:
    raise _Ended(Goodbye(code, reason))


def _answer_close(payload: bytes) -> Goodbye:
    """Return what a client's close frame is answered with: its own code, and no reason."""
    if len(payload) < 2:
        return Goodbye(None)
    code = int.from_bytes(payload[:2])
    if code not in _RECEIVABLE:
        return Goodbye(_PROTOCOL_ERROR, f"bad close code {code}")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return Goodbye(_PROTOCOL_ERROR, "invalid utf8 payload in close frame")
    return Goodbye(code)


def _whole(message: _Message) -> str | bytes:
    data = bytes(message.payload)
    if message.is_deflated:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data + _FLUSHED, _INFLATED_BYTES)
        except zlib.error:
            # The daemon's reader fails like one whose connection broke: no word, just the end.
            _refuse(ABNORMAL)
    return read_text(data) if message.opcode == Opcode.TEXT else data


_BROKEN: Final = re.compile("[\ud800-\udfff]")


def read_text(data: bytes) -> str:
    """Return *data* as text: each byte that is no UTF-8 is one U+FFFD, as Go reads it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _BROKEN.sub("\ufffd", data.decode("utf-8", "surrogateescape"))


def _masked(data: bytes | bytearray, *, key: bytes | bytearray) -> bytes:
    """Return *data* with the mask laid over it, which also takes it off."""
    size = len(data)
    cover = (bytes(key) * (size // 4 + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(cover)).to_bytes(size)


# ---------------------------------------------------------------- writing


def encode_text(text: str, *, deflates: bool = False) -> bytes:
    """Return the frame of a message; compressed if that was agreed, with nothing kept for later.

    A lone surrogate, which no text frame can hold, becomes U+FFFD.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = _BROKEN.sub("\ufffd", text).encode()
    if not deflates:
        return encode_frame(Opcode.TEXT, data)
    deflater = zlib.compressobj(_DEFLATE_LEVEL, wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return encode_frame(Opcode.TEXT, deflated.removesuffix(_FLUSHED), is_deflated=True)


def encode_close(code: int | None, reason: str = "") -> bytes:
    """Return a close frame; ``None`` and 1005 are one without a code."""
    if code is None or code == _NO_CODE:
        return encode_frame(Opcode.CLOSE, b"")
    return encode_frame(Opcode.CLOSE, code.to_bytes(2) + reason.encode())


def encode_frame(
    opcode: Opcode,
    payload: bytes,
    *,
    is_final: bool = True,
    is_deflated: bool = False,
    mask: bytes | None = None,
) -> bytes:
    """Return one frame; a server's has no *mask*."""
    first = opcode | (_FINAL if is_final else 0) | (_DEFLATED if is_deflated else 0)
    size = len(payload)
    if size <= _CONTROL_BYTES:
        sizes = bytes([size])
    elif size < 1 << 16:
        sizes = b"\x7e" + size.to_bytes(2)
    else:
        sizes = b"\x7f" + size.to_bytes(8)
    if mask is None:
        return bytes([first]) + sizes + payload
    masked = _masked(payload, key=mask)
    return bytes([first, sizes[0] | _MASKED]) + sizes[1:] + mask + masked
