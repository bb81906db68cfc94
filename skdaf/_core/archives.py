"""Read the zip archive of a model file, which may come from an untrusted source.

The sizes of members and arrays are checked before memory is allocated for them.
"""

import ast
import io
import math
import zipfile

import numpy as np

# Real weights hardly compress, while constants compress by a factor of a thousand. Unpacked members
# may be _MAX_RATIO times as large as the archive; _ALWAYS_ALLOWED_BYTES are always allowed.
_MAX_RATIO, _ALWAYS_ALLOWED_BYTES = 100, 2**27

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1

# Arrays may contain numbers, text, dates and records of these, but never objects.
_KINDS = set("biufcSUmMV?")
MAX_EMPTY_SIDE = 10**6
_MAX_EMPTY_ITEM_BYTES = 10**4
_MAX_SPARSE_SIDE = 2**24
# Nearest-neighbor trees may always have this many points; those in larger files may have more.
_ALWAYS_ALLOWED_POINTS = 2**20
_MAX_HEADER_BYTES = 10_000
# The largest code point of Unicode; Python fails on a string with a larger one.
_MAX_CODE_POINT = 0x10FFFF
_FORMATS = {"csr": "csr_matrix", "csc": "csc_matrix"}


class TooLargeError(ValueError):
    """Raised if the unpacked members of an archive would be too large."""


class Archive:
    """A zip archive whose members are read on demand; use it as a context manager.

    Parameters
    ----------
    file : str or binary file
        The archive.
    name : str
        The name of the archive in error messages.
    n_allowed : int, default=None
        The maximum total size of the unpacked members in bytes. None derives it from the size of
        the archive.

    Raises
    ------
    TooLargeError
        If the unpacked members are much larger than the archive.
    ValueError
        If two members have the same name, or if one is encrypted or compressed in an unsupported
        way.
    """

    def __init__(self, file, name, n_allowed=None):
        self._archive = zipfile.ZipFile(file)
        self._name = name
        members = self._archive.infolist()
        # Not the sum of the compressed sizes: members can overlap in the archive.
        self.n_packed = self._archive.fp.seek(0, io.SEEK_END)
        self.sizes = {member.filename: member.file_size for member in members}
        self.n_bytes = sum(member.file_size for member in members)
        if n_allowed is None:
            n_allowed = max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * self.n_packed)
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
                f"{self._name} has {self.n_packed} bytes but would unpack to {self.n_bytes} bytes, "
                "which is too much for a model."
            )
        if len(self.sizes) < len(members):
            raise ValueError("two members of the archive have the same name")
        for member in members:
            if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
                raise ValueError(
                    f"the member {member.filename[:80]!r} is encrypted, or its compression method "
                    "is not supported"
                )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._archive.close()

    def read(self, name):
        """Return the bytes of a member."""
        if name not in self.sizes:
            raise ValueError(f"the archive has no member {name[:80]!r}")
        with self._archive.open(name) as file:
            # Without a size, read() would unpack everything, even more than the declared size.
            content = file.read(self.sizes[name])
        if len(content) != self.sizes[name]:
            raise ValueError(f"the member {name[:80]!r} is shorter than declared")
        return content

    def take_points(self, n_points):
        """Limit the points of all nearest-neighbor trees, which can compress to almost nothing."""
        self._n_points += n_points
        if self._n_points > max(_ALWAYS_ALLOWED_POINTS, self.n_packed):
            raise ValueError(f"nearest-neighbor trees with {self._n_points} points are too large")

    def array(self, name):
        """Return the array in a member; repeated calls return the same object."""
        if name not in self._arrays:
            self._arrays[name] = read_array(self.read(name))
        return self._arrays[name]

    def sparse_matrix(self, name):
        """Return the sparse matrix in a member, which is itself an archive."""
        if name not in self._arrays:
            file = io.BytesIO(self.read(name))
            with Archive(file, f"{self._name}, in {name[:80]!r},", self._n_left) as inner:
                self._n_left -= inner.n_bytes
                self._arrays[name] = _read_sparse(inner)
        return self._arrays[name]


def read_array(content):
    """Return the array in the bytes of an ``.npy`` file, in the byte order of this computer.

    Raises
    ------
    ValueError
        If it contains objects, if its size does not match its header, or if it contains bytes that
        are neither text nor truth values, where it declares these.
    """
    file = io.BytesIO(content)
    dtype, shape, order = read_header(file)
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(
            f"an array declares the shape {str(shape)[:60]}, which does not match its size"
        )
    # A copy is writable and aligned, and does not keep the content of the file in memory. It is one
    # of bytes, because copies of records have whatever was in memory between their fields.
    flat = np.frombuffer(content, np.uint8, offset=file.tell()).copy().view(dtype)
    _check_values(flat)
    if not dtype.isnative:
        # torch and the compiled code of scikit-learn refuse it.
        native = np.zeros(len(flat), dtype.newbyteorder("="))
        native[:] = flat
        flat = native
    return flat.reshape(shape, order=order)


def read_header(file):
    """Read the header of an ``.npy`` file; return the dtype, shape and order of the array.

    Raises
    ------
    ValueError
        If the header is invalid, or if the array contains objects.
    """
    version = np.lib.format.read_magic(file)
    width = {(1, 0): 2, (2, 0): 4, (3, 0): 4}.get(version)
    n_header = int.from_bytes(file.read(width or 0), "little")
    if width is None or n_header > _MAX_HEADER_BYTES:
        raise ValueError("an array has an invalid header")
    header = ast.literal_eval(file.read(n_header).decode("latin-1" if version < (3, 0) else "utf8"))
    if type(header) is not dict or header.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("an array has an invalid header")
    dtype, shape = np.lib.format.descr_to_dtype(header["descr"]), header["shape"]
    _check_header(dtype, shape)
    return dtype, shape, "F" if header["fortran_order"] is True else "C"


def _check_header(dtype, shape):
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"an array has the unsupported type {dtype}")
    if type(shape) is not tuple or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("an array has an invalid shape")
    if 0 in shape and (max(shape) > MAX_EMPTY_SIDE or dtype.itemsize > _MAX_EMPTY_ITEM_BYTES):
        raise ValueError(f"an empty array declares {str(shape)[:60]} values of {str(dtype)[:60]}")


def _check_values(flat):
    """Check the text and the truth values in a one-dimensional array, or in its fields.

    Lone surrogates and NUL are allowed: names of files can contain the former, labels both.
    """
    dtype = flat.dtype
    for name in dtype.names or ():
        _check_values(np.ascontiguousarray(flat[name]).reshape(-1))
    if not flat.size:
        return
    if dtype.kind == "U":
        points = flat.view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if points.max() > _MAX_CODE_POINT:
            raise ValueError("an array of text contains code points that do not exist")
    # NumPy counts the bytes of a mask, and trusts that each of them is 0 or 1.
    if dtype.kind == "b" and flat.view("u1").max() > 1:
        raise ValueError("an array of truth values contains other values")


def _read_sparse(archive):
    """Return a sparse matrix. Compiled code does not check its indices, so this function does."""
    parts = {name: archive.array(f"{name}.npy") for name in ("data", "indices", "indptr", "shape")}
    kind = archive.array("format.npy")
    kind = _FORMATS.get(kind.item().decode() if kind.dtype.kind == "S" else None)
    shape = parts["shape"]
    if kind is None or shape.shape != (2,) or shape.dtype.kind != "i":
        raise ValueError("a sparse matrix is neither csr nor csc")
    if any(part.ndim != 1 for part in parts.values()):
        raise ValueError("the parts of a sparse matrix are not one-dimensional")
    if parts["indptr"].dtype.kind != "i" or parts["indices"].dtype.kind != "i":
        raise ValueError("the indices of a sparse matrix are not integers")
    n_rows, n_columns = map(int, shape)
    if max(n_rows, n_columns) > _MAX_SPARSE_SIDE:
        raise ValueError(f"a sparse matrix declares the shape {(n_rows, n_columns)}")
    from scipy import sparse  # not at the top, because few models need it

    is_array = "_is_array.npy" in archive.sizes and bool(archive.array("_is_array.npy"))
    build = getattr(sparse, kind.replace("matrix", "array") if is_array else kind)
    matrix = build(
        (parts["data"], parts["indices"], parts["indptr"]), shape=(n_rows, n_columns), copy=True
    )
    if matrix.data.dtype.kind not in "biufc":
        raise ValueError("a sparse matrix does not contain numbers")
    matrix.check_format(full_check=True)
    return matrix
