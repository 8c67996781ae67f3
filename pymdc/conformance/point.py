"""The points that are looked at, and what may come of one."""

from dataclasses import dataclass
from typing import Callable

AS_SAID = "as the protocol says"
AS_IN_2016 = "as the servers of 2016 did"
OTHERWISE = "otherwise"
NOT_THERE = "not there"  # what nobody has to have
NOT_TRIED = "not tried"

POINTS = []


class Otherwise(Exception):
    """Something came that neither the protocol nor a server of 2016 would have sent."""


class NotThere(Exception):
    """The bridge does not have what the point is about, and need not."""


class NotTried(Exception):
    """The point needs what was not given."""


@dataclass(frozen=True)
class Point:
    """
    One rule.

    :ivar section: of docs/protocol, with its number.
    :ivar rule: what is required, as a sentence.
    :ivar check: the function that looks, given the world.
    :ivar is_there: says whether the bridge of a world has what the rule is about, where it need not.
    """

    section: str
    rule: str
    check: Callable
    is_there: Callable

    def look(self, world):
        """Return an :class:`Outcome`."""
        world.begin()
        try:
            if not self.is_there(world):
                return Outcome(self, NOT_THERE, "")
            self.check(world)
        except NotThere as error:
            return Outcome(self, NOT_THERE, str(error))
        except Otherwise as error:
            return Outcome(self, OTHERWISE, str(error))
        except NotTried as error:
            return Outcome(self, NOT_TRIED, str(error))
        except Exception as error:  # an answer without what the rule reads in it, in whatever way
            return Outcome(self, OTHERWISE, f"{type(error).__name__}: {error}, in {brief(world.last)}")
        return Outcome(self, AS_IN_2016, "; ".join(world.old)) if world.old else Outcome(self, AS_SAID, "")


@dataclass(frozen=True)
class Outcome:
    """What came of a point: a verdict, and what was seen instead of what the protocol says."""

    point: Point
    verdict: str
    seen: str

    def __str__(self):
        return f"{self.verdict}: {self.seen}" if self.seen else self.verdict


def section(number: int, title: str, is_there=lambda world: True):
    """
    Return a decorator that makes a point of this section of a function: its name is the rule.

    :param is_there: as of :class:`Point`.
    """
    def point(check):
        POINTS.append(Point(f"{number}. {title}", check.__name__.replace("_", " "), check, is_there))
        return check
    return point


def brief(came) -> str:
    """Return what came on one line."""
    text = " ".join((came if isinstance(came, str) else repr(came)).split())
    return text if len(text) <= 300 else text[:297] + "..."


# What can be expected.  Each of these returns a function that says whether what came is that.

def gives(status: int, /, **fields):
    """A JSON object, or a list when there are no fields, with at least these fields."""
    def matches(answer):
        if answer.status != status or not isinstance(answer.json, (dict, list)):
            return False
        return all(isinstance(answer.json, dict) and answer.json.get(name) == value for name, value in fields.items())
    return matches


def refused(status: int, text: str):
    """An error that begins with *text*.  The servers of 2016 answered most with 500: clients go by the text."""
    matches = refused_so(status, text)
    matches.old = [refused_so(500, text)]
    return matches


def refused_so(status: int, text: str):
    """As :func:`refused`, of what no server of 2016 knew."""
    return lambda answer: answer.status == status and (answer.error or "").startswith(text)


def empty(status: int):
    return lambda answer: answer.status == status and answer.body == b""


def has_status(*statuses: int):
    return lambda answer: answer.status in statuses


def equals(value):
    return lambda came: came == value


def silence(answer):
    """No answer at all."""
    return answer.status is None
