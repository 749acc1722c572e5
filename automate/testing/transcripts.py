"""A transcript in words, one line each, as `automate rehearse` prints it.

The lines are what accepted transcripts are made of and what failing assertions show.
"""

from automate.engine.rehearsal import Act, Transcript
from automate.machine.actions import Traced

__all__ = [
    "act_line",
    "act_words",
    "endings",
    "title_line",
    "traced_line",
    "transcript_lines",
]


def transcript_lines(transcript: Transcript) -> list[str]:
    """Return the lines of *transcript*: its title, what was done, and what was not ended."""
    lines = [title_line(transcript)]
    lines += [act_line(act) for act in transcript.acts] or ["  nothing to do"]
    lines += endings(transcript)
    return lines


def title_line(transcript: Transcript) -> str:
    """Return the first line: the recording and how long it is."""
    return f"{transcript.recording} ({transcript.seconds:.1f} s)"


def act_line(act: Act) -> str:
    """Return the line of what a recipe did."""
    unconfirmed = " (unconfirmed)" if act.unconfirmed else ""
    return f"  {act.at:9.4f}  {act.recipe}: {act_words(act)}{unconfirmed}"


def act_words(act: Act) -> str:
    """Return what was done, in one line."""
    ((what, value),) = act.action.items()
    # A notice may have several lines.
    return f"{what} {value if value.isprintable() else repr(value)[1:-1]}"


def traced_line(at: float, traced: Traced) -> str:
    """Return the line of what was decided."""
    detail = f": {traced.detail}" if traced.detail else ""
    return f"  {at:9.4f}  {traced.recipe}: - {traced.what}{detail}"


def endings(transcript: Transcript) -> list[str]:
    """Return a line for each recipe that came to no end, or to no beginning."""
    return [f"  still running: {one}" for one in transcript.unfinished] + [
        f"  not asked: {one} (the recording is over before)" for one in transcript.unasked
    ]
