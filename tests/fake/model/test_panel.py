"""The panel in front of the model: limits, conflicts, errors of both kinds, backups."""

from typing import Any

import pytest

from automate.fake.model.answers import Answer
from automate.fake.model.node import Node
from automate.fake.model.panel import Panel, PanelSettings, User
from automate.fake.model.settings import DEFAULT_SERVER, Kind
from automate.fake.model.signals import ConditionChanged, NodeStopped
from automate.recording.format import PanelCall
from automate.recording.reader import read_recording
from tests.fake.model.scenes import BOTH, PELICAN, PTERODACTYL, Stage, row

ROOT = f"/api/client/servers/{DEFAULT_SERVER}"
SUSPENDED = "This server is currently suspended and the functionality requested is unavailable."
USERS = {
    "owner": User(uuid="user-1"),
    "admin": User(uuid="user-2", is_admin=True),
    "guest": User(uuid="user-3", permissions=("websocket.connect", "backup.read")),
    "nobody": User(uuid="user-4", permissions=()),
}
both = pytest.mark.parametrize("kind", BOTH, ids=str)


class Desk:
    """A panel with its stage; calls are made by the owner unless said otherwise."""

    def __init__(self, kind: Kind, **settings: Any) -> None:
        self.stage = Stage(kind)
        made = PanelSettings(users=USERS, **settings)
        self.panel = Panel(Node([self.stage.world]), made, self.stage.mint)
        self.office = self.panel.offices[DEFAULT_SERVER]

    def call(self, method: str, path: str, body: Any = None, *, key: str = "owner") -> Answer:
        path = path if path.startswith("/api") else ROOT + path
        answer, out = self.panel.call(method, path, body, key=key, at=self.stage.at)
        self.stage.keep(out)
        return answer

    def told(self, method: str, path: str, body: Any = None, *, key: str = "owner") -> Any:
        """Return the status, and the code and text of the error if it is one."""
        answer = self.call(method, path, body, key=key)
        if isinstance(answer.body, dict) and "errors" in answer.body:
            error = answer.body["errors"][0]
            assert error["status"] == str(answer.status)
            return answer.status, error["code"], error["detail"]
        return answer.status


@both
def test_a_wrong_key_and_a_strange_server_are_told_apart(kind: Kind) -> None:
    desk = Desk(kind)

    assert desk.told("GET", "", key="wrong") == (401, "AuthenticationException", "Unauthenticated.")
    assert desk.told("GET", "/api/client/servers/b1b2c3d4")[:2] == (404, "NotFoundHttpException")
    assert desk.told("GET", f"/api/client/servers/{DEFAULT_SERVER[:8]}") == 200
    assert desk.told("GET", "/nowhere")[0] == 404


@both
def test_a_newer_panel_gives_five_tokens_a_minute_to_everyone_together(kind: Kind) -> None:
    desk = Desk(kind)
    answers = []
    for second in range(6):
        answers.append(desk.call("GET", "/websocket", key="owner" if second % 2 else "admin"))
        desk.stage.wait(1)
    desk.stage.wait(54.5)
    later = desk.call("GET", "/websocket").status

    statuses = [answer.status for answer in answers]
    if kind is PELICAN:
        assert (statuses, later) == ([200] * 5 + [429], 200)
        assert answers[-1].headers["Retry-After"] == "55"
        assert answers[-1].body["errors"][0]["code"] == "ThrottleRequestsException"
        assert answers[0].headers["X-RateLimit-Limit"] == "5"
    else:
        assert (statuses, later) == ([200] * 6, 200)
        assert answers[0].headers["X-RateLimit-Limit"] == "720"


@both
def test_all_calls_together_are_limited_by_user(kind: Kind) -> None:
    desk = Desk(kind, calls_a_minute=3)
    statuses = [desk.call("GET", "").status for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert desk.call("GET", "", key="admin").status == 200


@both
def test_a_token_of_the_panel_opens_the_node(kind: Kind) -> None:
    desk = Desk(kind)
    answer = desk.call("GET", "/websocket")
    socket = desk.stage.open()
    desk.stage.say(socket, "auth", answer.body["data"]["token"])
    desk.stage.wait(0.01)

    assert answer.body["data"]["socket"].endswith(f"/api/servers/{DEFAULT_SERVER}/ws")
    assert desk.stage.heard(socket) == ["auth success", "status offline", "stats offline"]
    text = "You do not have permission to connect to this server's websocket."
    assert desk.told("GET", "/websocket", key="nobody") == (403, "HttpForbiddenException", text)


@both
def test_power_is_only_accepted_and_the_node_says_the_rest(kind: Kind) -> None:
    desk = Desk(kind)
    socket = desk.stage.connect()
    started = [desk.told("POST", "/power", {"signal": "start"}) for _ in range(2)]
    desk.stage.wait(3)

    assert started == [204, 204]
    states = [text for text in desk.stage.events(socket) if text.startswith("status")]
    assert states == ["status starting", "status running"]
    missing = desk.told("POST", "/power", {})
    assert missing == (422, "ValidationException", "The signal field is required.")
    assert desk.told("POST", "/power", {"signal": "start"}, key="guest")[0] == 403
    unknown = desk.told("POST", "/power", {"signal": "explode"}, key="guest")[0]
    assert unknown == (403 if kind is PTERODACTYL else 422)


@both
def test_a_command_to_an_offline_server_is_refused_by_the_one_and_lost_by_the_other(
    kind: Kind,
) -> None:
    desk = Desk(kind)
    socket = desk.stage.connect()
    offline = desk.told("POST", "/command", {"command": "say hi"})
    desk.stage.start(socket)
    online = desk.told("POST", "/command", {"command": "say hi"})
    desk.stage.wait(0.01)

    text = "Server must be online in order to send commands."
    assert offline == ((502, "HttpException", text) if kind is PTERODACTYL else 204)
    assert online == 204
    assert desk.stage.events(socket) == ["say hi", "[Server thread/INFO]: [Server] hi"]


@both
def test_the_resources_are_twenty_seconds_old_at_most(kind: Kind) -> None:
    desk = Desk(kind)
    socket = desk.stage.connect()
    states = [desk.call("GET", "/resources").body["attributes"]["current_state"]]
    desk.stage.start(socket)
    for seconds in (17, 1):
        states.append(desk.call("GET", "/resources").body["attributes"]["current_state"])
        desk.stage.wait(seconds)
    states.append(desk.call("GET", "/resources").body["attributes"]["current_state"])

    assert states == ["offline", "offline", "offline", "running"]


@both
def test_a_node_that_is_down_is_told_in_each_panels_own_way(kind: Kind) -> None:
    desk = Desk(kind)
    desk.stage.tell(NodeStopped())
    power = desk.told("POST", "/power", {"signal": "start"})
    used = desk.call("GET", "/resources")

    if kind is PTERODACTYL:
        text = (
            "Could not establish a connection to the machine running this server. Please try again."
        )
        assert power == (504, "DaemonConnectionException", text)
        assert used.status == 504
    else:
        assert power[:2] == (500, "ConnectionException")
        assert (used.status, used.body["attributes"]["current_state"]) == (200, "missing")
    assert desk.told("POST", "/backups", {})[0] in (500, 504)
    assert desk.call("GET", "/backups").body["data"] == []
    assert desk.told("GET", "/websocket") == 200


@both
@pytest.mark.parametrize("status", ["suspended", "installing", "restoring_backup"])
def test_a_server_in_conflict_answers_409_but_still_shows_itself(kind: Kind, status: str) -> None:
    desk = Desk(kind)
    desk.office.change(status, desk.stage.at)
    shown = desk.call("GET", "").body["attributes"]
    conflict = desk.told("GET", "/resources")

    assert (shown["status"], shown["is_suspended"]) == (status, status == "suspended")
    assert conflict[:2] == (409, "ServerStateConflictException")
    assert (conflict[2] == SUSPENDED) == (status == "suspended")
    assert desk.told("GET", "/websocket")[0] == 409
    is_let_in = kind is PELICAN or status != "suspended"
    admin = desk.told("GET", "/websocket", key="admin")
    assert admin == 200 if is_let_in else admin[0] == 409


@both
def test_a_suspension_the_panel_does_not_know_of_is_the_daemons_error(kind: Kind) -> None:
    desk = Desk(kind)
    desk.stage.tell(ConditionChanged(is_suspended=True))
    status, code, text = desk.told("POST", "/power", {"signal": "start"})

    if kind is PTERODACTYL:
        assert (status, code) == (400, "DaemonConnectionException")
        assert "Cannot start or restart a server that is suspended." in text
    else:
        assert (status, code) == (500, "RequestException")


# ---------------------------------------------------------------- backups


@row("7.1 backup event timing")
def test_a_backup_runs_until_the_daemon_tells_and_the_row_is_written_first(kind: Kind) -> None:
    desk = Desk(kind)
    socket = desk.stage.connect()
    begun = desk.call("POST", "/backups", {"name": "before stop", "ignored": "a\nb"})
    uuid = begun.body["attributes"]["uuid"]
    rows: list[Any] = []
    while not desk.stage.kept[socket]:
        rows.append(desk.office.archive.rows[uuid].completed)
        desk.stage.wait(0.001)
    done = desk.call("GET", f"/backups/{uuid}").body["attributes"]

    running = begun.body["attributes"]
    assert (running["is_successful"], running["bytes"], running["checksum"]) == (False, 0, None)
    assert running["ignored_files"] == ["a", "b"]
    assert set(rows) == {None}
    assert (done["is_successful"], done["bytes"]) == (True, 2846)
    assert done["checksum"].startswith("sha1:")
    assert ("is_scheduled" in done) == (kind is PELICAN)
    assert desk.stage.heard(socket)[0].startswith("backup completed: ")


@both
def test_two_backups_in_ten_minutes_and_no_more_than_the_limit(kind: Kind) -> None:
    desk = Desk(kind, backup_limit=3)
    first = [desk.told("POST", "/backups", {}) for _ in range(3)]
    refused = desk.call("POST", "/backups", {})
    desk.stage.wait(601)
    third = desk.told("POST", "/backups", {})
    over = desk.told("POST", "/backups", {})

    text = "Only 2 backups may be generated within a 600 second span of time."
    limit = "Cannot create a new backup, this server has reached its limit of 3 backups."
    assert first == [200, 200, (429, "TooManyRequestsHttpException", text)]
    assert refused.headers["Retry-After"] == "600"
    assert (third, over) == (200, (400, "TooManyBackupsException", limit))
    assert desk.call("GET", "/backups").body["meta"]["backup_count"] == 3


@both
def test_a_deleted_backup_counts_for_the_throttle_of_one_kind_only(kind: Kind) -> None:
    desk = Desk(kind)
    for _ in range(2):
        uuid = desk.call("POST", "/backups", {}).body["attributes"]["uuid"]
    desk.stage.wait(1)
    deleted = desk.told("DELETE", f"/backups/{uuid}")
    again = desk.call("POST", "/backups", {}).status

    assert (deleted, again) == (204, 429 if kind is PTERODACTYL else 200)


@both
def test_a_failed_backup_is_listed_and_counts_for_nothing(kind: Kind) -> None:
    desk = Desk(kind, backup_limit=1)
    desk.stage.world.backups_succeed = False
    desk.told("POST", "/backups", {"is_locked": True})
    desk.stage.wait(1)
    listed = desk.call("GET", "/backups").body
    again = desk.told("POST", "/backups", {})

    row_ = listed["data"][0]["attributes"]
    assert (row_["is_successful"], row_["is_locked"], row_["bytes"]) == (False, False, 0)
    assert row_["completed_at"] is not None
    assert (listed["meta"]["backup_count"], again) == (0, 200)


@both
def test_a_locked_backup_stays_and_a_restore_makes_the_server_unusable_for_a_while(
    kind: Kind,
) -> None:
    desk = Desk(kind)
    socket = desk.stage.connect()
    desk.stage.start(socket)
    uuid = desk.call("POST", "/backups", {"is_locked": True}).body["attributes"]["uuid"]
    early = desk.told("POST", f"/backups/{uuid}/restore", {"truncate": True})[:2]
    desk.stage.wait(1)
    locked = desk.told("DELETE", f"/backups/{uuid}")[:2]
    begun = desk.told("POST", f"/backups/{uuid}/restore", {"truncate": True})
    busy = desk.told("GET", "/resources")[0]
    desk.stage.wait(3)

    assert early == (400, "BadRequestHttpException")
    assert locked == (400, "BackupLockedException")
    assert (begun, busy, desk.told("GET", "/resources")) == (204, 409, 200)
    assert "backup restore completed: " in desk.stage.events(socket)


@pytest.mark.parametrize("name", ["backup-before-stop", "auth-throttled", "auth-errors"])
def test_answers_have_the_shape_of_the_recorded_ones(name: str, recordings: Any) -> None:
    recording = read_recording(recordings / f"{name}.jsonl")
    kind = PELICAN if (recording.header.daemon or "").startswith("pelican") else PTERODACTYL
    desk = Desk(kind, tokens_a_minute=100)
    uuid = ""
    for call in recording.entries:
        if not isinstance(call, PanelCall):
            continue
        path = call.path.partition(recording.header.server)[2]
        if "/backups/" in path:
            path = f"/backups/{uuid}"
        answer = desk.call(call.method, path, call.request)
        desk.stage.wait(0.5)
        if call.method == "POST":
            uuid = answer.body["attributes"]["uuid"]

        assert answer.status == call.status
        assert shape(answer.body) == shape(call.response)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__
