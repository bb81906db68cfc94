import io
import struct
import zipfile

import numpy as np
import pytest
from crafting import npy
from scipy import sparse

from skdaf._core.archives import Archive, TooLargeError, read_array


def archive_of(method=zipfile.ZIP_DEFLATED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3),
        np.array(["dog", "\u00e9"]),
        np.array(["dog", "\U0010ffff"], ">U3"),
        np.array(["\udc80", "a\0b"]),
        np.array([], "U3"),
        np.array([True, False]),
        np.zeros((0, 4), "f"),
        np.zeros(2, [("a", "<f8"), ("b", "i1")]),
        np.array([(0.1, 2), (3.0, -4)], [("a", ">f8"), ("b", "<i4")]),
        np.array([[1.5, -2], [0, np.inf]], ">f4", order="F"),
        np.array(["2020-01-01"], "datetime64[D]"),
    ],
)
def test_arrays_come_back_as_they_were(values):
    found = read_array(npy(values))
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.flags.f_contiguous == values.flags.f_contiguous
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}",
            "shape",
        ),
        (b"{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}", "type"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "object"),
        (b"{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (0,)}", "type"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999)}", "empty array"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "shape"),
        (b"__import__('os').abort()", "malformed"),
        (b"[" * 9000, "."),
    ],
)
def test_headers_with_wrong_declarations_are_refused(header, reason):
    content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header
    with pytest.raises((ValueError, SyntaxError, MemoryError, RecursionError), match=reason):
        read_array(content)


@pytest.mark.parametrize(
    ("dtype", "bad", "reason"),
    [
        ("<U2", b"\xff\xff\xff\xff", "code points"),
        ("<U2", b"\0\0\x11\0", "code points"),
        (">U2", b"\0\x11\0\0", "code points"),
        ([("a", "i1"), ("b", "<U1", (2,))], b"\0\0\x11\0", "code points"),
        ([("a", "i1"), ("b", [("c", "<U2")])], b"\0\0\x11\0", "code points"),
        ("?", b"\x02", "truth values"),
        ([("a", "i1"), ("b", "?")], b"\x02", "truth values"),
    ],
)
def test_bytes_that_are_no_text_and_no_truth_value_are_refused(dtype, bad, reason):
    content = npy(np.zeros(3, dtype))
    read_array(content)
    with pytest.raises(ValueError, match=reason):
        read_array(content[: -len(bad)] + bad)


def test_bytes_between_the_fields_of_records_are_those_in_the_file():
    # The nodes of decision trees have such bytes. A new array would get any others from memory.
    kind = np.dtype({"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [0, 8]})
    records = np.frombuffer(bytes(range(160)), np.uint8).view(kind)
    assert read_array(npy(records)).tobytes() == records.tobytes()


def test_an_array_in_two_places_is_read_once():
    with Archive(archive_of(a=npy(np.zeros(3))), "it") as archive:
        assert archive.array("a") is archive.array("a")
        with pytest.raises(ValueError, match="no member 'b'"):
            archive.array("b")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_unusual_archives_are_refused():
    with pytest.raises(ValueError, match="'a'"):
        Archive(archive_of(zipfile.ZIP_LZMA, a=b"1"), "it")
    file = archive_of(a=b"1")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a", b"2")
    with pytest.raises(ValueError, match="same name"):
        Archive(file, "it")


def test_archives_in_archives_count_too(monkeypatch):
    monkeypatch.setattr("skdaf._core.archives._ALWAYS_ALLOWED_BYTES", 2**20)
    inner = io.BytesIO()
    np.savez_compressed(inner, data=np.zeros(2**21))
    with (
        Archive(archive_of(a=inner.getvalue()), "it") as archive,
        pytest.raises(TooLargeError, match="it, in 'a',"),
    ):
        archive.sparse_matrix("a")


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array"])
def test_sparse_matrices_come_back(kind):
    matrix = getattr(sparse, kind)(np.eye(3))
    file = io.BytesIO()
    sparse.save_npz(file, matrix)
    with Archive(archive_of(a=file.getvalue()), "it") as archive:
        found = archive.sparse_matrix("a")
    assert type(found) is type(matrix)
    np.testing.assert_array_equal(found.toarray(), np.eye(3))


def test_indices_outside_of_a_sparse_matrix_are_refused():
    file = io.BytesIO()
    parts = {"data": np.ones(2), "indices": np.array([0, 9]), "indptr": np.array([0, 1, 2])}
    np.savez(file, **parts, shape=np.array([2, 3]), format=np.array(b"csr"))
    with (
        Archive(archive_of(a=file.getvalue()), "it") as archive,
        pytest.raises(ValueError, match="indices must be"),
    ):
        archive.sparse_matrix("a")
