"""No secret is written, and the same secret is always told by the same name."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from automate.recording.redaction import Redactor

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0NTk3NTN9.s5x-Yc_0TqA"
OTHER_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTU0NTk3NTR9.s5x-Yc_0TqB"
KEY = "ptlc_Zr4tN0aVwQ1uKx8yB2mC5dE7fG9hJ3kL6nP0qR2sT4u"
LINK = f"https://node.example.com:8080/download/backup?token={TOKEN}"
S3 = "https://s3.example.com/b/1.tar.gz?X-Amz-Date=20261123&X-Amz-Signature=0af3&x=1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"auth {TOKEN}, then {OTHER_TOKEN}; again {TOKEN}.",
         "auth <token:1>, then <token:2>; again <token:1>."),
        (f"{KEY} ptla_a1 pacc_b2 papp_c3 {KEY}", "<key:1> <key:2> <key:3> <key:4> <key:1>"),
        (f"get {LINK} ({S3}).", "get <link:1> (<link:2>)."),
        (f'{{"a":"{S3}"}} {json.dumps(S3)}'.replace("&", "\\u0026"), '{"a":"<link:1>"} "<link:1>"'),
        (json.dumps({"a": json.dumps(S3)}).replace("/", "\\/"), '{"a": "\\"<link:1>\\""}'),
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer <key:1>"),
        ("authorization: basic aHVudGVyMg==", "authorization: basic <token:1>"),
        ('{\\"Cookie\\": \\"a=1; b=\\\\\\"2\\"}', '{\\"Cookie\\": \\"<token:1>\\"}'),
    ],
)  # fmt: skip
def test_secrets_in_text_become_names(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[12:33:41] [Server thread/INFO]: <steve> a.b.c, ptlc or ptlc_ and eyJust.two parts",
        "see https://example.com/wiki?design=1&tokens=2 and wss://node/api/servers/1/ws",
        'a cookie: yes please, "cookie" and "authorization"; Authorization: none',
        "already <token:1>, <key:2>, <link:3>",
        '{"Authorization":"Bearer <token:1>","cookie":"<token:2>"}',
        "",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_credentials_in_headers_are_secrets_whatever_their_shape() -> None:
    request = {
        "Authorization": "Bearer hunter2",
        "COOKIE": ["session=hunter2; theme=dark", ""],
        "headers": [{"name": "authorization", "value": f"Bearer {KEY}", "comment": "hunter2"}],
        "proxy-authorization": None,
        KEY: [1, TOKEN],
    }

    assert Redactor({"password": ["hunter2"]}).value(request) == {
        "Authorization": "Bearer <password:1>",
        "COOKIE": ["<token:1>", ""],
        "headers": [
            {"name": "authorization", "value": "Bearer <key:1>", "comment": "<password:1>"}
        ],
        "proxy-authorization": None,
        "<key:1>": [1, "<token:2>"],
    }


def test_the_header_can_name_every_kind_beforehand() -> None:
    redactor = Redactor({"password": ["hunter2"]})

    assert redactor.names == ["token", "key", "link", "password"]
    assert Redactor().names == ["token", "key", "link"]


def test_a_secret_learnt_late_is_replaced_from_then_on() -> None:
    redactor = Redactor()
    before = redactor.text("open sesame")
    redactor.learn("token", "open sesame")
    redactor.learn("token", "")

    assert (before, redactor.text("open sesame")) == ("open sesame", "<token:1>")


def test_a_secret_behind_unusual_escapes_is_found_in_json() -> None:
    hidden = '["\\u0065' + TOKEN[1:] + '", 1]'

    assert Redactor().json_text(hidden) == '["<token:1>",1]'
    assert Redactor().json_text('["\\u0065y", 1]') == '["\\u0065y", 1]'


words = st.text("abcdefghijkXYZ0123456789", min_size=6, max_size=20)
base64 = st.text("abcXYZ0189-_", min_size=1, max_size=30)
tokens = st.builds("eyJ{}.{}.{}".format, base64, base64, base64)
keys = st.builds("{}_{}".format, st.sampled_from(["ptlc", "ptla", "pacc", "papp"]), words)
links = st.builds(
    "{}://{}/{}?{}{}={}{}".format,
    st.sampled_from(["http", "https", "HTTPS", "wss"]),
    words,
    words,
    st.sampled_from(["", "a=1&", "b&"]),
    st.sampled_from(["token", "access_token", "signature", "X-Amz-Signature", "sig"]),
    words | tokens,
    st.sampled_from(["", "&z=1", "%3D", "=="]),
)
# A told secret is whole and rare: it holds no piece of what stands around it.
told = st.text(
    st.characters(codec="utf-8", exclude_characters="{}[]:,. ") | st.sampled_from('"\\<&é/'),
    min_size=8,
    max_size=20,
).map("~{}~".format)
secrets = st.one_of(tokens, keys, links, told)


def as_text(secret: str) -> str:
    return f"> {secret} <"


def as_json(text: str) -> str:
    return json.dumps({"a": text}, ensure_ascii=False)


def as_ascii(text: str) -> str:
    return json.dumps({"a": text})


def as_daemon(text: str) -> str:
    return as_json(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def as_php(text: str) -> str:
    return as_ascii(text).replace("/", "\\/")


layers = st.lists(st.sampled_from([as_json, as_ascii, as_daemon, as_php]), max_size=3)


def unwrapped(text: str) -> str:
    """Take the layers off again."""
    while text.startswith("{"):
        text = json.loads(text)["a"]
    return text


@given(st.lists(secrets, min_size=1, max_size=4, unique=True), layers)
def test_no_secret_survives_and_each_keeps_its_name(found: list[str], wraps: list[object]) -> None:
    assume(not any(one in other for one in found for other in found if one != other))
    redactor = Redactor({"told": [secret for secret in found if secret.startswith("~")]})
    texts = [as_text(secret) for secret in found]
    for wrap in wraps:
        assert callable(wrap)
        texts = [wrap(text) for text in texts]

    shown = [unwrapped(redactor.text(text)) for text in texts]

    names = [text.removeprefix("> ").removesuffix(" <") for text in shown]
    kinds = [name.strip("<>0123456789:") for name in names]
    assert set(kinds) <= {"token", "key", "link", "told"}
    # Numbered by kind, in the order of their first coming.
    assert names == [f"<{kind}:{kinds[: n + 1].count(kind)}>" for n, kind in enumerate(kinds)]
    # Bare, each is still told by its name.
    assert [redactor.text(secret) for secret in found] == names


PIECES = ['"', "\\", "/", ".", ":", "=", "&", "?", "<", " ", "a", "eyJ", "https:", "token", "ptlc_"]
HEADER_PIECES = ["cookie", "Authorization", "basic"]


@given(st.lists(st.sampled_from([*PIECES, *HEADER_PIECES])).map("".join))
def test_what_is_clean_stays_clean(text: str) -> None:
    redactor = Redactor()
    once = redactor.text(text)

    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        *["eyJ", "eyJ.", "ptlc_", "https://", "https:\\", "?a", "\\", '\\"'],
        *['"cookie":"', '\\"cookie\\":\\"', "authorization: ", "authorization:basic "],
    ],
)
def test_the_secret_after_a_long_hostile_line_is_found(piece: str) -> None:
    """64 KiB are the longest line a daemon sends; a pattern that backtracks takes minutes."""
    line = "https:// " + piece * (65536 // len(piece))

    assert Redactor({"told": [TOKEN]}).text(f"{line} {TOKEN}").endswith(" <told:1>")
