"""Read a pickle without running it.

A pickle is a program: unpickling it imports the names in it and calls them. This reader follows
the instructions of a pickle, but only builds plain values. Names and calls become `Reference`
records, which do nothing, and an unexpected name raises an error.
"""

import pickletools
from dataclasses import dataclass

# Files of deep_audio_features have a few thousand instructions.
_MAX_INSTRUCTIONS = 10**6

_MAX_KEY = 2**31

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_WITHOUT_EFFECT = {"PROTO", "FRAME"}

_DICTIONARY = "collections.OrderedDict"


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """A name in a pickle, such as "numpy.dtype", or a call of it if there are arguments."""

    name: str
    arguments: tuple | None = None


def read_pickle(stream, names, *, persistent=False):
    """Return the value of the next pickle in a stream; nothing is imported or called.

    Parameters
    ----------
    stream : binary file
        Afterwards, its position is the end of the pickle.
    names : collection of str
        The names that the pickle may contain, as ``module.name``. They become a `Reference`;
        ordered dictionaries become plain ones.
    persistent : bool, default=False
        Whether the pickle may contain persistent ids. They become a `Reference` with the id as its
        argument.

    Returns
    -------
    value : object
        Consists of dicts (with str and int as keys), lists, tuples, numbers, str, bytes, bool, None
        and `Reference`.

    Raises
    ------
    ValueError
        If the pickle contains another name or is damaged, or if the file is not a pickle.
    """
    reader = _Reader(names, persistent)
    for number, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
        if number == _MAX_INSTRUCTIONS:
            raise ValueError(f"it has more than {_MAX_INSTRUCTIONS} instructions")
        if instruction.name == "STOP":
            return reader.pop()
        reader.execute(instruction.name, argument)


def _describe_key(key):
    return "a number out of bounds" if type(key) is int else f"a {type(key).__name__}"


class _Reader:
    """A stack, a memo, and a method for each instruction that is not in the tables above."""

    def __init__(self, names, persistent):
        self._names = names
        self._persistent = persistent
        self._stack = []
        self._marks = []
        self._memo = {}

    def execute(self, name, argument):
        if name in _LITERALS:
            self._push(argument)
        elif name in _CONSTANTS:
            self._push(_CONSTANTS[name])
        elif name in _EMPTY:
            self._push(_EMPTY[name]())
        elif name in _SHORT_TUPLES:
            self._push(tuple(self._take(_SHORT_TUPLES[name])))
        elif name not in _WITHOUT_EFFECT:
            method = getattr(self, f"_do_{name.lower()}", None)
            if method is None:
                raise ValueError(
                    f"it contains the instruction {name}, which such files do not contain"
                )
            method(argument)

    # --- the stack ---

    def _push(self, value):
        self._stack.append(value)

    def _take(self, n):
        """Remove the last values from the stack; they must be above the last mark."""
        first = len(self._stack) - n
        if first < (self._marks[-1] if self._marks else 0):
            raise ValueError("it takes a value from an empty stack")
        values = self._stack[first:]
        del self._stack[first:]
        return values

    def pop(self):
        return self._take(1)[0]

    def _top(self, kind, instruction):
        """Return the last value without removing it; it must have the given type."""
        value = self.pop()
        if type(value) is not kind:
            raise ValueError(f"{instruction} is used on a {type(value).__name__}")
        self._push(value)
        return value

    def _do_mark(self, _):
        self._marks.append(len(self._stack))

    def _since_mark(self):
        if not self._marks:
            raise ValueError("it returns to a mark that was never set")
        values = self._stack[self._marks[-1] :]
        del self._stack[self._marks.pop() :]
        return values

    # --- the memo ---

    def _do_memoize(self, _):
        self._do_binput(len(self._memo))

    def _do_binput(self, index):
        self._memo[index] = self.pop()
        self._push(self._memo[index])

    _do_long_binput = _do_binput

    def _do_binget(self, index):
        if index not in self._memo:
            raise ValueError(f"it reads entry {index} of its memo, which is empty")
        self._push(self._memo[index])

    _do_long_binget = _do_binget

    # --- containers ---

    def _do_tuple(self, _):
        self._push(tuple(self._since_mark()))

    def _do_append(self, _):
        value = self.pop()
        self._top(list, "APPEND").append(value)

    def _do_appends(self, _):
        values = self._since_mark()
        self._top(list, "APPENDS").extend(values)

    def _do_setitem(self, _):
        self._fill(self._take(2), "SETITEM")

    def _do_setitems(self, _):
        self._fill(self._since_mark(), "SETITEMS")

    def _fill(self, items, instruction):
        filled = self._top(dict, instruction)
        if len(items) % 2:
            raise ValueError(f"{instruction} has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing deeply nested tuples would crash the process, and large numbers can be chosen
            # to have equal hashes, so that each key takes longer.
            if type(key) is not str and not (type(key) is int and 0 <= key < _MAX_KEY):
                raise ValueError(f"a dict has {_describe_key(key)} as a key")
            filled[key] = value

    def _do_empty_set(self, _):
        self._push(Reference("builtins.set", ()))

    # --- names and calls ---

    def _do_global(self, name):
        self._refer(name.replace(" ", ".", 1))

    def _do_stack_global(self, _):
        module, name = self._take(2)
        self._refer(f"{module}.{name}" if type(module) is type(name) is str else "no name")

    def _refer(self, name):
        if name not in self._names and name != _DICTIONARY:
            raise ValueError(f"it refers to {name[:200]!r}, which such files do not contain")
        self._push(Reference(name))

    def _do_reduce(self, _):
        called, arguments = self._take(2)
        is_name = type(called) is Reference and called.arguments is None
        if not is_name or type(arguments) is not tuple:
            raise ValueError(
                "it calls something other than a name, or without a tuple of arguments"
            )
        is_dictionary = called.name == _DICTIONARY and not arguments
        self._push({} if is_dictionary else Reference(called.name, arguments))

    _do_newobj = _do_reduce

    def _do_build(self, _):
        # Discard the state of an object, because there is no object.
        _, built = self.pop(), self.pop()
        if type(built) not in (dict, Reference):
            raise ValueError(f"BUILD is used on a {type(built).__name__}")
        self._push(built)

    def _do_binpersid(self, _):
        if not self._persistent:
            raise ValueError("it contains a persistent id, which refers to other data")
        self._push(Reference("persistent id", (self.pop(),)))
