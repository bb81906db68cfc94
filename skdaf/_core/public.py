"""The decorator `public`: classes and functions say that they come from `skdaf`."""

from typing import TypeVar

Thing = TypeVar("Thing")


def public(thing: Thing) -> Thing:
    """Set the module of a class or function to `skdaf`.

    Saved models, pickles, reprs and tracebacks then show the name that users import, and code can
    move to another file without breaking saved models.
    """
    thing.__module__ = "skdaf"
    return thing
