"""The desk for one kind of question: who asked, and which recorded answers are left.

The recorded answers come in order, as the tape reaches them; the live questions come when they
please. Neither goes to the other before both are there.
"""

from collections.abc import Sequence

from attrs import define, frozen

from automate.fake.script import AnswerFrame

__all__ = ["Desk", "Reached"]


@define
class _Kept:
    """An answer that the tape has reached and nobody has asked for yet."""

    number: int
    frames: list[AnswerFrame]


@frozen
class Reached:
    """What comes of a frame: *receiver* gets it (``None``: nobody, or nobody yet).

    *passed_over* are the sockets whose questions will not be answered any more.
    """

    receiver: int | None
    passed_over: tuple[int, ...] = ()


class Desk:
    """The questions of one kind; *answers* are the first frames of the recorded answers."""

    def __init__(self, answers: Sequence[AnswerFrame]) -> None:
        self.asked = 0
        self._answers = answers
        self._begun = 0
        self._open: list[tuple[int, int]] = []
        self._kept: list[_Kept] = []
        self._receivers: dict[int, int | None] = {}

    @property
    def is_exhausted(self) -> bool:
        """Whether no recorded answer is left, kept or to come."""
        return not self._kept and self._begun == len(self._answers)

    @property
    def has_kept(self) -> bool:
        """Whether an answer only waits to be asked for."""
        return bool(self._kept)

    @property
    def unasked(self) -> list[AnswerFrame]:
        """The first frames of the answers that are kept."""
        return [kept.frames[0] for kept in self._kept]

    @property
    def next_answer(self) -> AnswerFrame | None:
        """The beginning of the answer that the next question gets, ``None`` if there is none."""
        if self._kept:
            return self._kept[0].frames[0]
        return self._answers[self._begun] if self._begun < len(self._answers) else None

    def ask(self, socket: int) -> list[AnswerFrame]:
        """Count a question from *socket*; return what there is of its answer already."""
        self.asked += 1
        if not self._kept:
            self._open.append((self.asked, socket))
            return []
        kept = self._kept.pop(0)
        if not kept.frames[-1].is_last:
            self._receivers[kept.number] = socket
        return kept.frames

    def reach(self, frame: AnswerFrame) -> Reached:
        """Take the *frame* that the tape has reached; return whose it is.

        The earliest open question gets the answer. Others that were asked before the recorded
        question it belongs to are over: in the recording, too, they went unanswered.
        """
        if not frame.is_first:
            if frame.number in self._receivers:
                return Reached(self._receivers[frame.number])
            if self._kept and self._kept[-1].number == frame.number:
                self._kept[-1].frames.append(frame)
            return Reached(None)
        self._begun += 1
        if not self._open:
            self._kept.append(_Kept(frame.number, [frame]))
            return Reached(None)
        _number, receiver = self._open.pop(0)
        self._receivers[frame.number] = receiver
        over = tuple(socket for number, socket in self._open if number <= frame.number)
        self._open = [(number, socket) for number, socket in self._open if number > frame.number]
        return Reached(receiver, over)

    def take_open(self) -> list[int]:
        """Return the sockets whose questions are open, and close those."""
        sockets = [socket for _number, socket in self._open]
        self._open = []
        return sockets

    def leave(self, socket: int) -> None:
        """Forget the questions of *socket*: its connection ended."""
        self._open = [(number, asker) for number, asker in self._open if asker != socket]
        for number, receiver in self._receivers.items():
            if receiver == socket:
                self._receivers[number] = None

    def count_given(self, asked: int) -> None:
        """Take the first *asked* questions as asked, and as answered where they ever were."""
        self.asked = asked
        self._kept = [kept for kept in self._kept if kept.number > asked]
        given = sum(answer.number <= asked for answer in self._answers)
        self._begun = max(self._begun, given)
