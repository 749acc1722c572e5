"""The backup step: keeping the newest, making room, and what the panel says or does not say."""

import pytest

from automate.machine.actions import DeleteBackup, ListBackups, MakeBackup, ShowBackup
from automate.machine.answer import Answer, KnownBackup
from automate.machine.stage import Manner
from automate.recipe.flow import Step
from automate.recipe.recipe import Recipe
from automate.recipe.steps import Backup, Notify
from automate.recipe.triggers import Asked
from tests.machine.scenes import ORIGIN, Scene, backup_completed, status


def begin(step: Step, manner: Manner | None = None) -> Scene:
    recipe = Recipe("it", when=Asked(), then=[step, Notify("!")])
    return Scene(recipe, manner=manner).hears((0.0, status("running"))).asks(1.0, "it")


def known(uuid: str, age: float, name: str = "automate", **more: bool) -> KnownBackup:
    made_at = ORIGIN.timestamp() - age
    return KnownBackup(uuid=uuid, name=name, made_at=made_at, **{"is_done": True, **more})


def answer(scene: Scene, at: float, what: Answer) -> Scene:
    """Answer the call that was made last."""
    (*_, call) = sorted(scene.machine.open_calls)
    return scene.at(at, lambda machine: machine.answered(call, what, at))


def lists(scene: Scene, at: float, *backups: KnownBackup) -> Scene:
    return answer(scene, at, Answer(backups=backups))


def done(scene: Scene) -> list[str]:
    """Return what the panel was asked for, and what was told."""
    words = []
    for _, one in scene.outputs:
        match one:
            case MakeBackup(name=name):
                words.append(f"make {name}")
            case ShowBackup(uuid=uuid):
                words.append(f"show {uuid}")
            case ListBackups():
                words.append("list")
            case DeleteBackup(uuid=uuid):
                words.append(f"delete {uuid}")
    return [*words, *(what for _, what in scene.ended)]


def made(step: Backup) -> Scene:
    """Return a scene in which the backup ``new`` is complete."""
    scene = answer(begin(step), 1.2, Answer(uuid="new"))
    return scene.hears((5.0, backup_completed("new")))


NEW = known("new", 0)

# ---------------------------------------------------------------- keeping the newest


@pytest.mark.parametrize(
    ("others", "deleted"),
    [
        ([], []),
        ([known("a", 10)], []),
        ([known("a", 10), known("b", 30), known("c", 20)], ["c", "b"]),
        ([known("a", 10), known("b", 30, "by hand"), known("c", 20)], ["c"]),
        ([known("a", 10), known("b", 20, is_locked=True), known("c", 30)], ["c"]),
        ([known("a", 10, is_locked=True), known("b", 20), known("c", 30)], ["b", "c"]),
        ([known("a", 10, is_done=False), known("b", 20), known("c", 30)], ["c"]),
        (
            [known("a", 10, is_done=False, is_failed=True), known("b", 20), known("c", 30)],
            ["c"],
        ),
    ],
    ids=[
        "the first",
        "as many as are kept",
        "too many",
        "somebody else's",
        "an old one is locked",
        "a new one is locked",
        "one under way",
        "one that failed",
    ],
)
def test_of_its_own_the_newest_are_kept(others: list[KnownBackup], deleted: list[str]) -> None:
    scene = lists(made(Backup(keep=2)), 5.1, *others, NEW)
    at = 5.1
    while scene.machine.open_calls:
        at += 0.1
        answer(scene, at, Answer())

    expected = ["make automate", "list", *(f"delete {uuid}" for uuid in deleted), "done"]
    assert done(scene) == expected


def test_what_is_not_in_the_list_yet_does_not_cost_an_older_one() -> None:
    """The daemon may be quicker than its panel."""
    scene = lists(made(Backup(keep=1)), 5.1, known("a", 10), known("new", 0, is_done=False))

    assert done(scene) == ["make automate", "list", "done"]


def test_an_old_one_that_is_not_deleted_is_a_warning_and_no_failure() -> None:
    scene = lists(made(Backup(keep=1)), 5.1, NEW, known("a", 10), known("b", 20))
    answer(scene, 5.2, Answer(error="the panel answered 500"))

    assert done(scene)[-1] == "done"
    assert scene.traced("warning") == [
        (5.2, "an old backup was not deleted: the panel answered 500")
    ]


def test_a_list_that_does_not_come_is_a_warning_too() -> None:
    refused = answer(made(Backup(keep=1)), 5.1, Answer(error="the panel answered 500"))
    late = made(Backup(keep=1, limit_seconds=60)).waits(100)

    assert (done(refused)[-1], done(late)[-1]) == ("done", "done")
    assert late.traced("warning") == [(61.0, "old backups were not deleted after 60 s")]


def test_in_a_rehearsal_nothing_is_deleted() -> None:
    scene = begin(Backup(keep=1), Manner(asks_once=True)).answers(1.2, uuid="new")
    scene.hears((5.0, backup_completed("new")))

    assert done(scene) == ["make automate", "done"]


def test_without_keep_nobody_asks_for_a_list() -> None:
    assert done(made(Backup())) == ["make automate", "done"]


# ---------------------------------------------------------------- room

FULL = Answer(error="the panel answered 400: too many backups", is_full=True)


def test_where_there_is_no_room_the_oldest_of_its_own_goes_first() -> None:
    scene = answer(begin(Backup(keep=2)), 1.1, FULL)
    lists(scene, 1.2, known("a", 30), known("b", 20), known("c", 40, "by hand"))
    answer(scene, 1.3, Answer())
    answer(scene, 1.4, Answer(uuid="new")).hears((5.0, backup_completed("new")))
    lists(scene, 5.1, NEW, known("b", 20))

    assert done(scene) == ["make automate", "list", "delete a", "make automate", "list", "done"]


@pytest.mark.parametrize(
    "there",
    [
        [known("a", 30)],
        [known("a", 30), known("b", 20, "by hand")],
        [known("a", 30), known("b", 20, is_locked=True)],
        [known("a", 30), known("b", 20, is_done=False)],
    ],
    ids=["fewer than are kept", "somebody else's", "locked", "under way"],
)
def test_no_room_is_made_out_of_what_is_to_be_kept(there: list[KnownBackup]) -> None:
    scene = lists(answer(begin(Backup(keep=2)), 1.1, FULL), 1.2, *there)

    assert done(scene) == [
        "make automate",
        "list",
        "failed: the panel allows no more backups, and those of this name are too few",
    ]


def test_who_keeps_no_number_makes_no_room() -> None:
    assert done(answer(begin(Backup()), 1.1, FULL)) == [
        "make automate",
        "failed: the panel answered 400: too many backups",
    ]


def test_room_is_made_once() -> None:
    scene = answer(begin(Backup(keep=1)), 1.1, FULL)
    lists(scene, 1.2, known("a", 30))
    answer(answer(scene, 1.3, Answer()), 1.4, FULL)

    assert done(scene) == [
        *("make automate", "list", "delete a", "make automate"),
        "failed: the panel answered 400: too many backups",
    ]


@pytest.mark.parametrize("lists_well", [True, False])
def test_if_there_is_no_way_to_make_room_it_says_why(lists_well: bool) -> None:
    scene = answer(begin(Backup(keep=1)), 1.1, FULL)
    if lists_well:
        lists(scene, 1.2, known("a", 30))
    answer(scene, 1.3, Answer(error="the panel answered 500"))

    assert done(scene)[-1] == "failed: there is no room for a backup: the panel answered 500"


# ---------------------------------------------------------------- asking after it


def test_a_slow_panel_is_not_asked_anew_before_it_answered() -> None:
    scene = answer(begin(Backup()), 1.2, Answer(uuid="new")).waits(60)

    assert done(scene) == ["make automate", "show new"]
    answer(scene, 61.0, Answer(uuid="new")).waits(76.0)
    assert done(scene) == ["make automate", "show new", "show new"]


def test_an_answer_without_a_name_is_about_the_one_that_was_asked_after() -> None:
    scene = answer(begin(Backup()), 1.2, Answer(uuid="new")).waits(17)
    answer(scene, 17.0, Answer()).hears((18.0, backup_completed("new")))

    assert done(scene)[-1] == "done"


# ---------------------------------------------------------------- after a restart


def killed(scene: Scene, at: float) -> Scene:
    saved = scene.machine.save()
    after = Scene(*scene.recipes, linked=False)
    after.machine.restore(saved)
    after.take(after.machine.resume(at), at)
    return after


def test_whoever_cannot_look_yet_looks_again() -> None:
    """Where a whole machine came back, the panel may be later than we are."""
    scene = killed(begin(Backup()), 50.0)
    answer(scene, 50.1, Answer(error="the panel can't be reached")).waits(65.1)
    lists(scene, 66.0, known("new", -2))

    assert done(scene) == ["list", "list", "done"]
    assert scene.traced("warning", "in doubt") == [
        (50.1, "whether the backup was made can't be said yet: the panel can't be reached"),
        (66.0, "automate ended while a backup was asked for; it is there"),
    ]


def test_yesterdays_backup_is_not_taken_for_todays() -> None:
    scene = lists(killed(begin(Backup()), 50.0), 50.1, known("old", 86_400))

    assert done(scene) == ["list", "make automate"]


def test_it_does_not_look_for_ever() -> None:
    scene = killed(begin(Backup(limit_seconds=60)), 50.0)
    for at in range(51, 300):
        scene.waits(float(at))
        if scene.machine.open_calls:
            answer(scene, float(at), Answer(error="the panel can't be reached"))

    assert done(scene)[-1] == "failed: the backup was not complete after 169 s"


@pytest.mark.parametrize("answers", [0, 1], ids=["listing", "deleting"])
def test_room_is_still_made_after_a_restart(answers: int) -> None:
    scene = answer(begin(Backup(keep=1)), 1.1, FULL)
    if answers:
        lists(scene, 1.2, known("a", 30), known("b", 20))
    scene = lists(killed(scene, 50.0), 50.1, known("b", 20))
    answer(answer(scene, 50.2, Answer()), 50.3, Answer(uuid="new", is_done=True))

    assert done(lists(scene, 50.4, NEW)) == ["list", "delete b", "make automate", "list", "done"]
