"""The zip archive of a model file: members and arrays, checked before they take memory."""

import ast
import io
import math
import zipfile

import numpy as np
from scipy import sparse

# Weights hardly shrink in an archive; constants shrink a thousandfold. Content that grows beyond
# both bounds is there to fill the memory.
_MOST_GROWTH, _SMALL = 100, 2**27

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1

# What arrays of numbers, texts, dates and records of numbers are made of; never objects.
_KINDS = set("biufcSUmMV?")
LARGEST_EMPTY_SIDE = 10**6
_LARGEST_EMPTY_ITEM = 10**4
_LARGEST_SPARSE_SIDE = 2**24
# How many points the trees of neighbours may have where the file itself is smaller.
_FREE_POINTS = 2**20
_LONGEST_HEADER = 10_000
_FORMATS = {"csr": "csr_matrix", "csc": "csc_matrix"}


class TooLargeError(ValueError):
    """An archive that would fill the memory."""


class Archive:
    """Members of a zip archive, read on demand; a context that closes the file.

    Parameters
    ----------
    file : str or binary file
    name : str
        How errors call it.
    n_allowed : int, default=None
        How many bytes the members may become together; None derives it from the archive's size.

    Raises
    ------
    TooLargeError
        If the members would become much larger than the archive.
    ValueError
        If two members have the same name, or one is encrypted or compressed in an unusual way.
    """

    def __init__(self, file, name, n_allowed=None):
        self._archive = zipfile.ZipFile(file)
        self._name = name
        members = self._archive.infolist()
        # Members may overlap in the archive: what counts is its own size.
        self.n_packed = self._archive.fp.seek(0, io.SEEK_END)
        self.sizes = {member.filename: member.file_size for member in members}
        self.n_bytes = sum(member.file_size for member in members)
        if n_allowed is None:
            n_allowed = max(_SMALL, _MOST_GROWTH * self.n_packed)
        self._n_left = n_allowed - self.n_bytes
        self._n_points = 0
        self._arrays = {}
        try:
            self._check(members)
        except ValueError:
            self._archive.close()
            raise

    def _check(self, members):
        if self._n_left < 0:
            raise TooLargeError(
                f"{self._name} holds {self.n_packed} bytes that would become {self.n_bytes}: no "
                "model does."
            )
        if len(self.sizes) < len(members):
            raise ValueError("two members of the archive have the same name")
        for member in members:
            if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
                raise ValueError(f"the member {member.filename[:80]!r} cannot be unpacked")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._archive.close()

    def read(self, name):
        """Return the bytes of a member."""
        if name not in self.sizes:
            raise ValueError(f"the archive has no member {name[:80]!r}")
        with self._archive.open(name) as file:
            # Read to the end, a member is unpacked whole, however small it claims to be.
            content = file.read(self.sizes[name])
        if len(content) != self.sizes[name]:
            raise ValueError(f"the member {name[:80]!r} is shorter than it claims")
        return content

    def take_points(self, n_points):
        """Count points of which a tree is built: compressed, millions take no space."""
        self._n_points += n_points
        if self._n_points > max(_FREE_POINTS, self.n_packed):
            raise ValueError(f"{self._n_points} points in trees of neighbours are too many")

    def array(self, name):
        """Return the array in a member; the same one for the same member."""
        if name not in self._arrays:
            self._arrays[name] = read_array(self.read(name))
        return self._arrays[name]

    def sparse_matrix(self, name):
        """Return the sparse matrix in a member, which is an archive itself."""
        if name not in self._arrays:
            file = io.BytesIO(self.read(name))
            with Archive(file, f"{self._name}, in {name[:80]!r},", self._n_left) as inner:
                self._n_left -= inner.n_bytes
                self._arrays[name] = _read_sparse(inner)
        return self._arrays[name]


def read_array(content):
    """Return the array in the bytes of an ``.npy`` file.

    Raises
    ------
    ValueError
        If it holds objects, or not exactly the values that its header claims.
    """
    file = io.BytesIO(content)
    dtype, shape, order = read_header(file)
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(
            f"an array claims the shape {str(shape)[:60]} and holds another number of bytes"
        )
    flat = np.frombuffer(content, dtype, math.prod(shape), file.tell())
    # A copy can be written to, is aligned, and does not keep the file's bytes.
    return flat.reshape(shape, order=order).copy(order=order)


def read_header(file):
    """Return the type, shape and order of the array whose bytes follow in an ``.npy`` file.

    Raises
    ------
    ValueError
        If it is of another kind, or holds objects.
    """
    version = np.lib.format.read_magic(file)
    width = {(1, 0): 2, (2, 0): 4, (3, 0): 4}.get(version)
    n_header = int.from_bytes(file.read(width or 0), "little")
    if width is None or n_header > _LONGEST_HEADER:
        raise ValueError("an array has a header of another kind")
    header = ast.literal_eval(file.read(n_header).decode("latin-1" if version < (3, 0) else "utf8"))
    if type(header) is not dict or header.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("an array has a header of another kind")
    dtype, shape = np.lib.format.descr_to_dtype(header["descr"]), header["shape"]
    _check_claims(dtype, shape)
    return dtype, shape, "F" if header["fortran_order"] is True else "C"


def _check_claims(dtype, shape):
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"an array holds {dtype}, not plain values")
    if type(shape) is not tuple or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("an array has an impossible shape")
    if 0 in shape and (max(shape) > LARGEST_EMPTY_SIDE or dtype.itemsize > _LARGEST_EMPTY_ITEM):
        raise ValueError(f"an empty array claims the shape {str(shape)[:60]} of {str(dtype)[:60]}")


def _read_sparse(archive):
    """Return a matrix whose indices all lie inside it: compiled code trusts them."""
    parts = {name: archive.array(f"{name}.npy") for name in ("data", "indices", "indptr", "shape")}
    kind = archive.array("format.npy")
    kind = _FORMATS.get(kind.item().decode() if kind.dtype.kind == "S" else None)
    shape = parts["shape"]
    if kind is None or shape.shape != (2,) or shape.dtype.kind != "i":
        raise ValueError("a sparse matrix is neither csr nor csc")
    if any(part.ndim != 1 for part in parts.values()):
        raise ValueError("a sparse matrix does not hold plain lists of values")
    if parts["indptr"].dtype.kind != "i" or parts["indices"].dtype.kind != "i":
        raise ValueError("the indices of a sparse matrix are no integers")
    n_rows, n_columns = map(int, shape)
    if max(n_rows, n_columns) > _LARGEST_SPARSE_SIDE:
        raise ValueError(f"a sparse matrix claims the shape {(n_rows, n_columns)}")
    is_array = "_is_array.npy" in archive.sizes and bool(archive.array("_is_array.npy"))
    build = getattr(sparse, kind.replace("matrix", "array") if is_array else kind)
    matrix = build(
        (parts["data"], parts["indices"], parts["indptr"]), shape=(n_rows, n_columns), copy=True
    )
    if matrix.data.dtype.kind not in "biufc":
        raise ValueError("a sparse matrix holds no numbers")
    matrix.check_format(full_check=True)
    return matrix
