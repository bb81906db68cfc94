"""The decorator `public`, which makes `skdaf` the module of public classes and functions."""

from typing import TypeVar

ClassOrFunction = TypeVar("ClassOrFunction")


def public(thing: ClassOrFunction) -> ClassOrFunction:
    """Set the module of a class or function to `skdaf`.

    Saved models, pickles, reprs and tracebacks then show the name that users import, and code can
    move to another file without breaking saved models.
    """
    thing.__module__ = "skdaf"
    return thing
