"""Faults of the panel: answers that are not the panel's, or not those one hopes for."""

from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Final

from attrs import frozen

from automate.errors import UsageError
from automate.fake.http import Response

__all__ = ["PanelAnswers"]

# PROTOCOL 1.2 and 1.3.
_ERRORS: Final = {
    429: ("ThrottleRequestsException", "Too Many Attempts."),
    500: (
        "HttpException",
        "An unexpected error was encountered while processing this request, please try again.",
    ),
}
_WITHOUT_BODY: Final = (204, 205, 304)
_HTML: Final = (
    "<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
    "<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n"
    "</html>\r\n"
)


@frozen(kw_only=True)
class PanelAnswers:
    """The panel's answer is *status*, *times* in a row (``None``: always), to calls to *path*.

    *path* is a pattern (``*/websocket``) and *method* a name, ``*`` being any; the first *skip*
    calls are answered well. With *html* it is a page, as a proxy in front of the panel sends.
    *retry_after* are seconds, in the header of that name.
    """

    status: int
    html: bool = False
    retry_after: int | None = None
    times: int | None = 1
    path: str = "*"
    method: str = "*"
    skip: int = 0

    def __attrs_post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise UsageError(f"status: expected 200 to 599, found {self.status}")
        if self.status in _WITHOUT_BODY:
            raise UsageError(f"status: {self.status} has no body, so it is no error; take another")

    def matches(self, method: str, path: str) -> bool:
        """Whether it is about this call."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)

    def befalls(self, number: int) -> bool:
        """Whether it befalls call *number* of those that it is about, counted from 1."""
        return number > self.skip and (self.times is None or number <= self.skip + self.times)

    def response(self) -> Response:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.html:
            headers["Content-Type"] = "text/html"
            page = _HTML.format(status=self.status, phrase=_phrase(self.status))
            return Response(status=self.status, body=page.encode(), headers=headers)
        code, detail = _ERRORS.get(self.status, ("HttpException", _phrase(self.status)))
        error = {"code": code, "status": str(self.status), "detail": detail}
        return Response(status=self.status, body={"errors": [error]}, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
