import hashlib
import sys

import pytest

from skdaf._estimators.pretrained.packages import (
    find_in_package,
    import_package,
    refuse_output,
    sha256_of,
)

COMMAND = 'pip install "some[thing]"'


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that cannot be imported, with a file of weights."""
    (tmp_path / "stubborn_package" / "data").mkdir(parents=True)
    (tmp_path / "stubborn_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "stubborn_package" / "data" / "weights.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "stubborn_package"


def find(package, name):
    return find_in_package(package, name, model="listener", command=COMMAND)


def test_a_file_is_found_without_importing_its_package(package):
    assert find("stubborn_package", "data/weights.bin") == package / "data" / "weights.bin"
    assert "stubborn_package" not in sys.modules


def test_a_package_that_is_missing_is_named_with_the_command():
    with pytest.raises(ImportError, match=r"'listener' needs the package no_such_package.*thing"):
        find("no_such_package", "weights.bin")


def test_a_file_that_is_missing_is_named_with_the_folder(package):
    with pytest.raises(FileNotFoundError) as caught:
        find("stubborn_package", "other.bin")
    assert all(part in str(caught.value) for part in (str(package), "'other.bin'", COMMAND))


def test_a_module_without_a_folder_contains_no_file():
    with pytest.raises(FileNotFoundError, match=r"has no file 'weights\.bin'"):
        find("hashlib", "weights.bin")


def test_a_library_that_is_missing_is_named_with_the_command():
    with pytest.raises(ImportError, match=r"no_such_library\.part.*some\[thing\]"):
        import_package("no_such_library.part", COMMAND)
    assert import_package("hashlib", COMMAND) is hashlib


def test_a_model_with_one_output_takes_no_other():
    refuse_output("listener", None)
    with pytest.raises(ValueError, match=r"output=0 .*'listener' has one"):
        refuse_output("listener", 0)


def test_the_hash_depends_on_all_files_and_their_order(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    assert sha256_of(first) == hashlib.sha256(b"1").hexdigest()
    assert len({sha256_of(first), sha256_of(first, second), sha256_of(second, first)}) == 3
