"""The schema of a model file: a tree of nodes, which is checked before anything is built.

`read_schema` visits every node once, without recursion. It checks whether the loader of a node may
build its type, how deeply nodes are nested, and how large the tree would be if every reference
were a copy.
"""

import json

from skdaf._estimators.persistence import trusted_types as trusted

PROTOCOLS = (0, 1, 2)

# Size of the text. A schema is repetitive, so it compresses well.
_MAX_TEXT_GROWTH, _SMALL_TEXT = 100, 2**23
# Number of dicts and lists. Each takes a few hundred bytes of memory.
_SMALL_COUNT, _BYTES_PER_CONTAINER = 200_000, 8

_MAX_DEPTH = 100
_MAX_NAME_LENGTH = 200
_MAX_NAMES_SHOWN = 20

# How many times larger the tree may be if every reference is a copy. Several attributes of an
# estimator can refer to the same object: an ensemble stores its members in a list and by name.
_MAX_REPETITION = 20
_FREE_NODES, _FREE_BYTES = 20_000, 2**24
# Objects built from repeated bytes may copy them, so the size of the file limits these too.
_MAX_REPEATED_BYTES, _MAX_REPEATED_GROWTH = 2**28, 100

# A file can choose keys with equal hashes, unless they are strings; many such keys take hours.
_MAX_CHOSEN_HASHES = 10_000

_SCALARS = (bool, float, int, str, type(None))


class UntrustedError(ValueError):
    """A file contains names that are not trusted."""

    def __init__(self, names):
        self.names = sorted(names)
        first = self.names[:_MAX_NAMES_SHOWN]
        shown = [name if name.isprintable() else ascii(name) for name in first]
        n_more = len(names) - len(shown)
        super().__init__(", ".join(shown) + (f" and {n_more} more" if n_more else ""))


class Node:
    """One value of the schema, with the nodes of its parts in the order that `_LOADERS` defines."""

    __slots__ = ("children", "height", "loader", "n_bytes", "n_nodes", "name", "state", "waiting")

    def __init__(self, state):
        if type(state) is not dict:
            raise ValueError("the schema contains something else where a value is expected")
        names = [state.get(f"__{key}__") for key in ("module", "class", "loader")]
        if any(type(name) is not str or len(name) > _MAX_NAME_LENGTH for name in names):
            raise ValueError("a value in the schema has no type")
        self.name, self.loader = f"{names[0]}.{names[1]}", names[2]
        self.state, self.children = state, []
        self.n_nodes = self.n_bytes = self.height = 0
        # The states of the parts that have not been read, in reverse order; None when complete.
        self.waiting = None


# --- parts of nodes --------------------------------------------------------------------------


def _parts_of_dict(state):
    if type(state["content"]) is not dict:
        raise ValueError("a dict in the schema has no items")
    return [state["key_types"], *state["content"].values()]


def _parts_of_list(state):
    if type(state["content"]) is not list:
        raise ValueError("a list in the schema has no items")
    return state["content"]


def _parts_of_array(state):
    return [] if state["type"] == "numpy" else [state["shape"], *_parts_of_list(state)]


def _parts_of_masked_array(state):
    return [state["content"]["data"], state["content"]["mask"]]


def _parts_of_object(state):
    return [state["content"]] if "content" in state else []


def _parts_of_call(state):
    return [state["__reduce__"]["args"], state["content"]]


def _parts_of_content(state):
    return [state["content"]]


def _no_parts(state):
    return []


def _is_one_of(*names):
    return frozenset(names).__contains__


def _is_class(name):
    return name in trusted.NEIGHBOR_TREES or name in trusted.DISTANCES or _has_class(name)


def _has_class(name):
    return trusted.is_own_estimator(name) or trusted.find_class(name) is not None


_SPARSE = [
    f"scipy.sparse._{kind}.{kind}_{sort}" for kind in ("csr", "csc") for sort in ("matrix", "array")
]

# {loader: (whether it may build a type, a function that returns the parts of its state)}.
_LOADERS = {
    "DictNode": (_is_one_of(*trusted.DICTS), _parts_of_dict),
    "DTypeNode": (_is_one_of("numpy.dtype"), _parts_of_content),
    "FunctionNode": (lambda name: True, _no_parts),  # checked where it is used
    "JsonNode": (_is_one_of("builtins.str"), _no_parts),
    "ListNode": (_is_one_of("builtins.list"), _parts_of_list),
    "LossNode": (_is_one_of(*trusted.LOSSES), _parts_of_call),
    "MaskedArrayNode": (
        _is_one_of("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"),
        _parts_of_masked_array,
    ),
    "NdArrayNode": (_is_one_of("numpy.ndarray", *trusted.SCALARS), _parts_of_array),
    "ObjectNode": (_is_class, _parts_of_object),
    "RandomStateNode": (_is_one_of("numpy.random.mtrand.RandomState"), _parts_of_content),
    "SetNode": (_is_one_of("builtins.set"), _parts_of_list),
    "SliceNode": (_is_one_of("builtins.slice"), _no_parts),
    "SparseMatrixNode": (_is_one_of(*_SPARSE), _no_parts),
    "TreeNode": (_is_one_of(trusted.TREE), _parts_of_call),
    "TupleNode": (_is_one_of("builtins.tuple"), _parts_of_list),
    "TypeNode": (_is_one_of(*trusted.PLAIN_TYPES), _no_parts),
}
_LOADERS_WITH_FILES = {"NdArrayNode", "SparseMatrixNode"}


# --- reading ---------------------------------------------------------------------------------


def read_schema(archive):
    """Return the root of the tree of nodes.

    Parameters
    ----------
    archive : Archive

    Raises
    ------
    UntrustedError
        If nodes contain types or functions that are not trusted, or that their loaders may not
        build. The error names all of them.
    ValueError
        If the schema is damaged, or larger than the schema of any model.
    """
    text = archive.read("schema.json")
    _check_text(text, archive)
    schema = json.loads(text)
    protocol = schema.get("protocol") if type(schema) is dict else None
    if type(protocol) is not int or protocol not in PROTOCOLS:
        raise ValueError("its schema has another protocol")
    root, n_nodes = _read_nodes(schema, archive.sizes)
    if root.n_nodes > _MAX_REPETITION * n_nodes + _FREE_NODES:
        raise ValueError(f"its {n_nodes} values refer to each other {root.n_nodes} times")
    most_bytes = min(
        _MAX_REPETITION * archive.n_bytes + _FREE_BYTES,
        max(_MAX_REPEATED_BYTES, _MAX_REPEATED_GROWTH * archive.n_packed),
    )
    if root.n_bytes > most_bytes:
        raise ValueError(f"its values refer to {root.n_bytes} bytes of arrays")
    return root


def _check_text(text, archive):
    if len(text) > max(_SMALL_TEXT, _MAX_TEXT_GROWTH * archive.n_packed):
        raise ValueError(f"its schema of {len(text)} bytes is too large")
    n_containers = text.count(b"{") + text.count(b"[")
    if n_containers > _SMALL_COUNT + archive.n_packed // _BYTES_PER_CONTAINER:
        raise ValueError(f"its schema contains {n_containers} dicts and lists, which is too many")


def _read_nodes(state, sizes):
    """Return the root, with all nodes below it, and the number of nodes."""
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
            if len(path) > _MAX_DEPTH:
                raise ValueError(f"its values are nested more than {_MAX_DEPTH} levels deep")
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
    """Return a node whose parts have not been read."""
    node = Node(state)
    is_trusted, parts = _LOADERS.get(node.loader, (None, None))
    if is_trusted is None or not is_trusted(node.name):
        untrusted.add(node.name)
        node.loader, parts = "", _no_parts
    node.waiting = list(parts(state))[::-1]
    if _id_of(state) is not None:
        known[_id_of(state)] = node
    return node


def _close(node, sizes, untrusted):
    """Add up the sizes of the parts of a node, and check what depends on them."""
    children = node.children
    node.waiting = None
    node.n_nodes = 1 + sum(child.n_nodes for child in children)
    node.n_bytes = sum(child.n_bytes for child in children)
    node.height = 1 + max((child.height for child in children), default=0)
    if node.height > _MAX_DEPTH:
        raise ValueError(f"its values are nested more than {_MAX_DEPTH} levels deep")
    if node.loader in _LOADERS_WITH_FILES and "file" in node.state:
        node.n_bytes = sizes.get(node.state["file"], 0)
    names = attribute_names(node)
    for name, child in zip(names, children, strict=True):
        is_function = child.loader == "FunctionNode"
        if is_function and trusted.find_function(child.name, name) is None:
            untrusted.add(child.name)
    if _has_chosen_hashes(node) and len(children) > _MAX_CHOSEN_HASHES:
        raise ValueError(f"a set or dict has {len(children)} keys that are not strings")


def attribute_names(node):
    """Return the key of each part of a dict node; None for the parts of other nodes."""
    if node.loader == "DictNode":
        return [None, *node.state["content"]]
    return [None] * len(node.children)


def _has_chosen_hashes(node):
    if node.loader != "DictNode":
        return node.loader == "SetNode"
    return any(kind.name != "builtins.str" for kind in node.children[0].children)


def scalar(node):
    """Return the number, string, boolean or None of a node."""
    content = node.state["content"]
    if type(content) is not str or content[:1] in ("[", "{"):
        raise ValueError("a plain value has another type")
    value = json.loads(content)
    if type(value) not in _SCALARS:
        raise ValueError("a plain value has another type")
    return value
