"""What people type for a panel and a server, and what is made of it."""

import pytest

from automate.errors import UsageError
from automate.live.address import panel_url, server_id

UUID = "a1b2c3d4-0001-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://panel.example.com", "https://panel.example.com"),
        (" https://panel.example.com/ \n", "https://panel.example.com"),
        ("HTTPS://Panel.Example.COM:443/", "https://panel.example.com"),
        ("http://127.0.0.1:8999", "http://127.0.0.1:8999"),
        ("http://panel.example.com:80", "http://panel.example.com"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("https://panel.example.com/server/a1b2c3d4/files#/", "https://panel.example.com"),
        ("https://panel.example.com/api", "https://panel.example.com"),
        ("https://panel.example.com/api/client/", "https://panel.example.com"),
        ("https://panel.example.com/auth/login?next=1", "https://panel.example.com"),
        ("https://example.com/panel/", "https://example.com/panel"),
        ("https://example.com/panel/server/a1b2c3d4", "https://example.com/panel"),
        ("<https://panel.example.com>", "https://panel.example.com"),
    ],
)
def test_a_panels_address_is_what_was_meant(typed: str, meant: str) -> None:
    assert panel_url(typed) == meant


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("panel.example.com", "did you mean https://panel.example.com?"),
        ("", "did you mean https://panel.example.com?"),
        ("wss://node.example.com:8080", "found wss://; that is a node's socket"),
        ("ftp://panel.example.com", "found ftp://; mend the beginning"),
        ("https://", "expected something like https://panel.example.com"),
        ("https://my panel.example.com", "expected something like https://panel.example.com"),
        ("https://panel.example.com:80o0", "check it for typing errors"),
        ("https://[::1", "check it for typing errors"),
    ],
)
def test_a_panels_address_that_is_none_is_refused_with_a_guess(typed: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        panel_url(typed)

    assert str(caught.value).startswith(f"panel address {typed!r}: ")
    assert advice in str(caught.value)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        panel_url("https://ada:s3cret@panel.example.com")

    assert str(caught.value) == (
        "panel address at panel.example.com: it holds a user name or password; leave them out, "
        "the API key is all it takes"
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a1b2c3d4", "a1b2c3d4"),
        (" A1B2C3D4 ", "a1b2c3d4"),
        (UUID.upper(), UUID),
        ("https://panel.example.com/server/a1b2c3d4/console", "a1b2c3d4"),
    ],
)
def test_a_servers_id_is_short_or_whole(typed: str, meant: str) -> None:
    assert server_id(typed) == meant


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("42", "this looks like the panel's internal number"),
        ("survival", "it stands in the browser's address"),
        ("a1b2c3d4/../x", "it stands in the browser's address"),
        (UUID[:-1], "it stands in the browser's address"),
        ("", "it stands in the browser's address"),
    ],
)
def test_what_is_no_servers_id_is_refused_with_a_guess(typed: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        server_id(typed)

    assert str(caught.value).startswith(f"server {typed!r}: expected the 8 characters of its id")
    assert advice in str(caught.value)
