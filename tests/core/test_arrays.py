import numpy as np
import pytest
import torch
from helpers import run_python

from skdaf._core.arrays import as_array, is_array_like, is_scalar, plain_scalar

TYPES = ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"]


@pytest.mark.parametrize("name", TYPES)
def test_tensors_of_any_type_become_arrays_of_the_same_values(name):
    array = as_array(torch.arange(6).reshape(2, 3).to(getattr(torch, name)))
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])
    assert array.dtype == np.dtype("float32" if name == "bfloat16" else name)


def test_gradients_views_and_parameters():
    np.testing.assert_array_equal(as_array(torch.ones(3, requires_grad=True)), np.ones(3))
    np.testing.assert_array_equal(as_array(torch.nn.Parameter(torch.ones(2))), np.ones(2))
    np.testing.assert_array_equal(as_array(torch.arange(6).reshape(2, 3).T)[2], [2, 5])
    np.testing.assert_array_equal(as_array(torch.tensor([1j]).conj()), [-1j])


def test_memory_is_shared():
    tensor = torch.zeros(3)
    as_array(tensor)[1] = 5.0
    assert tensor[1] == 5.0


@pytest.mark.parametrize(
    "tensor", [torch.eye(2).to_sparse(), torch.zeros(2, device="meta")], ids=["sparse", "meta"]
)
def test_tensors_without_values_are_refused(tensor):
    with pytest.raises(TypeError, match="dense tensor"):
        as_array(tensor)


class Foreign:
    """An array of another library, such as JAX."""

    def __dlpack__(self):
        raise AssertionError("__array__ should be used")

    def __array__(self, dtype=None, copy=None):
        return np.arange(3.0)


def test_arrays_of_other_libraries():
    np.testing.assert_array_equal(as_array(Foreign()), [0.0, 1.0, 2.0])


@pytest.mark.parametrize("value", ["a.wav", 3, None, [1.0], {"a": 1}])
def test_anything_else_is_unchanged(value):
    assert as_array(value) is value


def test_an_array_is_unchanged():
    array = np.zeros(3)
    assert as_array(array) is array


def test_torch_is_not_imported():
    run_python("""
        import sys, numpy as np
        from skdaf import SpectrogramTransformer
        SpectrogramTransformer(n_mels=4).fit_transform([(np.ones(800), 8000)])
        assert 'torch' not in sys.modules
    """)


@pytest.mark.parametrize("value", [1, 2.5, np.int16(3), np.array(4), torch.tensor(5)])
def test_scalars(value):
    assert is_scalar(value)
    assert not is_array_like(value)


@pytest.mark.parametrize("value", [[1], (1.0, 2.0), [[1]], np.zeros(1), torch.zeros(2, 2)])
def test_array_likes(value):
    assert is_array_like(value)
    assert not is_scalar(value)


@pytest.mark.parametrize("value", [True, "1", b"1", None, [], ["a"], {}])
def test_neither_scalars_nor_array_likes(value):
    assert not is_array_like(value)
    assert not is_scalar(value)


@pytest.mark.parametrize("value", ["dog", 3, 2.5, True])
def test_scalars_of_numpy_are_shown_as_those_of_python(value):
    assert repr(plain_scalar(np.array([value])[0])) == repr(plain_scalar(value)) == repr(value)
    assert plain_scalar(None) is None
