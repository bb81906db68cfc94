import pytest
import torch
from torch.backends import cudnn

from skdaf._networks.device import (
    reproducible,
    resolve_device,
    resolve_precision,
    single_torch_thread,
)


def test_devices_are_resolved_to_names():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device(torch.device("cpu")) == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="device='gpu'"):
        resolve_device("gpu")


def test_an_unavailable_device_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='cuda:0'"):
        resolve_device("cuda:0")


def test_a_gpu_that_the_machine_does_not_have_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [resolve_device(f"cuda{index}") for index in ("", ":0", ":1")] == [
        "cuda",
        "cuda:0",
        "cuda:1",
    ]
    with pytest.raises(ValueError, match="device='cuda:2' is not available"):
        resolve_device("cuda:2")
    with pytest.warns(UserWarning, match=r"device='cuda:2' .*CPU"):
        assert resolve_device("cuda:2", fallback_to_cpu=True) == "cpu"


def test_an_unavailable_device_can_be_replaced_by_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.warns(UserWarning, match=r"device='cuda' .*CPU"):
        assert resolve_device("cuda", fallback_to_cpu=True) == "cpu"
    with pytest.raises(ValueError, match="unknown"):
        resolve_device("gpu", fallback_to_cpu=True)


@pytest.mark.parametrize("device", ["meta", "vulkan", "hpu"])
def test_devices_that_torch_knows_but_cannot_use(device):
    problem = f"device='{device}' is not available on this machine"
    with pytest.raises(ValueError, match=problem):
        resolve_device(device)
    with pytest.warns(UserWarning, match=f"{problem}; using the CPU instead"):
        assert resolve_device(device, fallback_to_cpu=True) == "cpu"


def test_auto_prefers_cuda_to_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"


def test_auto_precision_is_bfloat16_where_the_processor_supports_it(monkeypatch):
    for supported, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda s=supported: s, raising=False
        )
        assert resolve_precision("auto", "cpu") == expected
        assert resolve_precision("auto", "mps") == "float32"
        assert resolve_precision("bfloat16", "cpu") == "bfloat16"
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert resolve_precision("auto", "cpu") == "float32"


def test_auto_precision_depends_on_the_gpu_that_is_used(monkeypatch):
    capabilities = {"cuda": (7, 5), "cuda:0": (7, 5), "cuda:1": (8, 0), "cuda:2": (9, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", capabilities.get)
    found = [resolve_precision("auto", device) for device in capabilities]
    assert found == ["float32", "float32", "bfloat16", "bfloat16"]
    assert resolve_precision("float32", "cuda:1") == "float32"
    assert resolve_precision("bfloat16", "cuda:0") == "bfloat16"


def convolution_settings():
    conv = getattr(cudnn, "conv", None)
    tf32 = cudnn.allow_tf32 if conv is None else conv.fp32_precision
    return tf32, cudnn.deterministic, cudnn.benchmark


def test_cuda_is_reproducible_inside_the_context_only(monkeypatch):
    monkeypatch.setattr(cudnn, "benchmark", True)
    before = convolution_settings()
    with reproducible("cpu"):
        assert convolution_settings() == before
    with reproducible("cuda:1"), reproducible("cuda"):
        inside = convolution_settings()
    assert inside[0] in (False, "ieee")
    assert inside[1:] == (True, False)
    assert convolution_settings() == before != inside


def test_the_number_of_threads_is_restored_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), single_torch_thread:
        1 / (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == before
