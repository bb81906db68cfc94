"""The schema of a model file: a tree of nodes, checked before anything is built from it.

`read_schema` looks at every node once, without recursion: whether its loader may build its type,
how deep nodes are nested, and how large the tree would be if every reference were a copy.
"""

import json

from skdaf._estimators.persistence import trusted_types as trusted

PROTOCOLS = (0, 1, 2)

# Text: the schema repeats itself, and packs well.
_MOST_TEXT_GROWTH, _SMALL_TEXT = 100, 2**23
# Dicts and lists: each takes some hundred bytes once it is read.
_SMALL_COUNT, _BYTES_PER_CONTAINER = 200_000, 8

_DEEPEST = 100
_LONGEST_NAME = 200
_MOST_SHOWN = 20

# How much larger than what is written a tree may be whose references are copies. Several attributes
# of an estimator hold the same object: an ensemble has its members in a list and by name.
_MOST_REPETITION = 20
_FREE_NODES, _FREE_BYTES = 20_000, 2**24
# What is built from repeated bytes may copy them: they are bounded by the size of the file too.
_MOST_REPEATED_BYTES, _MOST_REPEATED_GROWTH = 2**28, 100

# Keys that are no texts have hashes that a file can choose; many equal ones would take hours.
_MOST_CHOSEN_HASHES = 10_000

_SCALARS = (bool, float, int, str, type(None))


class UntrustedError(ValueError):
    """Names that a file may not use."""

    def __init__(self, names):
        self.names = sorted(names)
        shown = [name if name.isprintable() else ascii(name) for name in self.names[:_MOST_SHOWN]]
        n_more = len(names) - len(shown)
        super().__init__(", ".join(shown) + (f" and {n_more} more" if n_more else ""))


class Node:
    """One value of the schema, with the nodes of its parts in the order of `_LOADERS`."""

    __slots__ = ("children", "height", "loader", "n_bytes", "n_nodes", "name", "state", "waiting")

    def __init__(self, state):
        if type(state) is not dict:
            raise ValueError("the schema holds something else where a value should be")
        names = [state.get(f"__{key}__") for key in ("module", "class", "loader")]
        if any(type(name) is not str or len(name) > _LONGEST_NAME for name in names):
            raise ValueError("a value in the schema does not say what it is")
        self.name, self.loader = f"{names[0]}.{names[1]}", names[2]
        self.state, self.children = state, []
        self.n_nodes = self.n_bytes = self.height = 0
        # The states of parts that are still to be read, the first one last; None when complete.
        self.waiting = None


# --- what nodes hold -------------------------------------------------------------------------


def _of_dict(state):
    if type(state["content"]) is not dict:
        raise ValueError("a dict in the schema has no items")
    return [state["key_types"], *state["content"].values()]


def _of_list(state):
    if type(state["content"]) is not list:
        raise ValueError("a list in the schema has no items")
    return state["content"]


def _of_array(state):
    return [] if state["type"] == "numpy" else [state["shape"], *_of_list(state)]


def _of_masked_array(state):
    return [state["content"]["data"], state["content"]["mask"]]


def _of_object(state):
    return [state["content"]] if "content" in state else []


def _of_call(state):
    return [state["__reduce__"]["args"], state["content"]]


def _of_content(state):
    return [state["content"]]


def _of_nothing(state):
    return []


def _is(*names):
    return frozenset(names).__contains__


def _is_class(name):
    return name in trusted.NEIGHBOR_TREES or name in trusted.DISTANCES or _has_class(name)


def _has_class(name):
    return trusted.find_class(name) is not None


_SPARSE = [
    f"scipy.sparse._{kind}.{kind}_{sort}" for kind in ("csr", "csc") for sort in ("matrix", "array")
]

# {loader: (which types it may build, the parts of its state)}.
_LOADERS = {
    "DictNode": (_is(*trusted.DICTS), _of_dict),
    "DTypeNode": (_is("numpy.dtype"), _of_content),
    "FunctionNode": (lambda name: True, _of_nothing),  # judged where it is used
    "JsonNode": (_is("builtins.str"), _of_nothing),
    "ListNode": (_is("builtins.list"), _of_list),
    "LossNode": (_is(*trusted.LOSSES), _of_call),
    "MaskedArrayNode": (_is("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"), _of_masked_array),
    "NdArrayNode": (_is("numpy.ndarray", *trusted.SCALARS), _of_array),
    "ObjectNode": (_is_class, _of_object),
    "RandomStateNode": (_is("numpy.random.mtrand.RandomState"), _of_content),
    "SetNode": (_is("builtins.set"), _of_list),
    "SliceNode": (_is("builtins.slice"), _of_nothing),
    "SparseMatrixNode": (_is(*_SPARSE), _of_nothing),
    "TreeNode": (_is(trusted.TREE), _of_call),
    "TupleNode": (_is("builtins.tuple"), _of_list),
    "TypeNode": (_is(*trusted.PLAIN_TYPES), _of_nothing),
}
_IN_MEMBERS = {"NdArrayNode", "SparseMatrixNode"}


# --- reading ---------------------------------------------------------------------------------


def read_schema(archive):
    """Return the root of the tree of nodes.

    Parameters
    ----------
    archive : Archive

    Raises
    ------
    UntrustedError
        If a node asks for a type or a function that is not trusted, or for one that its loader may
        not build. It names all of them.
    ValueError
        If the schema is damaged, or larger than a model's.
    """
    text = archive.read("schema.json")
    _check_text(text, archive)
    schema = json.loads(text)
    protocol = schema.get("protocol") if type(schema) is dict else None
    if type(protocol) is not int or protocol not in PROTOCOLS:
        raise ValueError("its schema is of another kind")
    root, n_nodes = _read_nodes(schema, archive.sizes)
    if root.n_nodes > _MOST_REPETITION * n_nodes + _FREE_NODES:
        raise ValueError(f"its {n_nodes} values refer to each other {root.n_nodes} times")
    most_bytes = min(
        _MOST_REPETITION * archive.n_bytes + _FREE_BYTES,
        max(_MOST_REPEATED_BYTES, _MOST_REPEATED_GROWTH * archive.n_packed),
    )
    if root.n_bytes > most_bytes:
        raise ValueError(f"its values refer to {root.n_bytes} bytes of arrays")
    return root


def _check_text(text, archive):
    if len(text) > max(_SMALL_TEXT, _MOST_TEXT_GROWTH * archive.n_packed):
        raise ValueError(f"its schema of {len(text)} bytes is too large")
    n_containers = text.count(b"{") + text.count(b"[")
    if n_containers > _SMALL_COUNT + archive.n_packed // _BYTES_PER_CONTAINER:
        raise ValueError(f"its schema holds {n_containers} dicts and lists: no model's does")


def _read_nodes(state, sizes):
    """Return the root, with all nodes below it, and how many there are."""
    known, untrusted, n_nodes = {}, set(), 1
    path = [_open(state, known, untrusted)]
    while True:
        node = path[-1]
        if not node.waiting:
            _close(node, sizes, untrusted)
            path.pop()
            if not path:
                break
            continue
        part = node.waiting.pop()
        child = known.get(_id_of(part))
        if child is None:
            n_nodes += 1
            child = _open(part, known, untrusted)
            path.append(child)
            if len(path) > _DEEPEST:
                raise ValueError(f"its values are nested more than {_DEEPEST} levels deep")
        elif child.waiting is not None:
            raise ValueError("a value contains itself")
        node.children.append(child)
    if node.loader == "FunctionNode":
        untrusted.add(node.name)
    if untrusted:
        raise UntrustedError(untrusted)
    return node, n_nodes


def _id_of(state):
    number = state.get("__id__") if type(state) is dict else None
    return number if type(number) is int else None


def _open(state, known, untrusted):
    """Return a node whose parts are still to be read."""
    node = Node(state)
    is_trusted, parts = _LOADERS.get(node.loader, (None, None))
    if is_trusted is None or not is_trusted(node.name):
        untrusted.add(node.name)
        node.loader, parts = "", _of_nothing
    node.waiting = list(parts(state))[::-1]
    if _id_of(state) is not None:
        known[_id_of(state)] = node
    return node


def _close(node, sizes, untrusted):
    """Sum up what is below a node, and check what only its parts show."""
    children = node.children
    node.waiting = None
    node.n_nodes = 1 + sum(child.n_nodes for child in children)
    node.n_bytes = sum(child.n_bytes for child in children)
    node.height = 1 + max((child.height for child in children), default=0)
    if node.height > _DEEPEST:
        raise ValueError(f"its values are nested more than {_DEEPEST} levels deep")
    if node.loader in _IN_MEMBERS and "file" in node.state:
        node.n_bytes = sizes.get(node.state["file"], 0)
    names = attribute_names(node)
    for name, child in zip(names, children, strict=True):
        is_function = child.loader == "FunctionNode"
        if is_function and trusted.find_function(child.name, name) is None:
            untrusted.add(child.name)
    if _has_chosen_hashes(node) and len(children) > _MOST_CHOSEN_HASHES:
        raise ValueError(f"a set or dict has {len(children)} keys that are no texts")


def attribute_names(node):
    """Return by which key a dict holds each part of a node; elsewhere None."""
    if node.loader == "DictNode":
        return [None, *node.state["content"]]
    return [None] * len(node.children)


def _has_chosen_hashes(node):
    if node.loader != "DictNode":
        return node.loader == "SetNode"
    return any(kind.name != "builtins.str" for kind in node.children[0].children)


def scalar(node):
    """Return the number, text, truth value or None that a node holds."""
    content = node.state["content"]
    if type(content) is not str or content[:1] in ("[", "{"):
        raise ValueError("a plain value is something else")
    value = json.loads(content)
    if type(value) not in _SCALARS:
        raise ValueError("a plain value is something else")
    return value
