import numpy as np
import pytest
from helpers import noise

from skdaf import PretrainedFeatureExtractor
from skdaf._estimators.pretrained.onnx_file import read_onnx

RATE = 16_000


def levels(clips):
    return np.array([[np.abs(samples).mean()] for samples, _ in clips])


@pytest.mark.parametrize(
    "shape", [("n", "t"), ("n", 1, "t"), ("t",), (1, "t"), (1, 1, "t"), ("n", "c", "t")]
)
def test_inputs_of_all_shapes(shape, tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx", shape)
    model = PretrainedFeatureExtractor(path, sampling_rate=RATE, window=0.25).fit(clips)
    np.testing.assert_allclose(model.transform(clips), levels(clips), atol=1e-6)
    assert model.window_ == 0.25
    assert model.sampling_rate_ == RATE


@pytest.mark.parametrize("shape", [(4, "t"), ("n", 2, "t"), ("n", 1, 1, "t")])
def test_inputs_that_are_no_waveforms(shape, tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx", shape)
    with pytest.raises(ValueError, match=r"level\.onnx.*(waveforms|one channel)"):
        PretrainedFeatureExtractor(path, sampling_rate=RATE, window=0.25).fit(clips)


@pytest.mark.parametrize("kind", [10, 11])  # float16, float64
def test_other_types_of_floats(kind, tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx", kind=kind)
    model = PretrainedFeatureExtractor(path, sampling_rate=RATE, window=0.25)
    np.testing.assert_allclose(model.fit_transform(clips), levels(clips), atol=1e-3)


def test_an_input_of_fixed_length_is_the_window(tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx", ("n", 8000))
    model = PretrainedFeatureExtractor(path, sampling_rate=RATE).fit(clips)
    assert model.window_ == 0.5
    # Short clips are padded with zeros.
    expected = levels(clips) / [[2], [1], [2]]
    np.testing.assert_allclose(model.transform(clips), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"window=0.25 .* takes 8000 samples, 0.5 s"):
        PretrainedFeatureExtractor(path, sampling_rate=RATE, window=0.25).fit(clips)


def test_rate_and_window_come_from_the_metadata(tmp_path, clips, write_network):
    entries = {"sampling_rate": "16000", "window": "0.25"}
    path = write_network(tmp_path / "level.onnx", entries=entries)
    model = PretrainedFeatureExtractor(path).fit(clips)
    assert (model.sampling_rate_, model.window_) == (RATE, 0.25)
    with pytest.raises(ValueError, match="sampling_rate=8000, but the metadata"):
        PretrainedFeatureExtractor(path, sampling_rate=8000).fit(clips)
    path = write_network(tmp_path / "level.onnx", entries={"sampling_rate": "fast"})
    with pytest.raises(ValueError, match="sampling_rate='fast'"):
        PretrainedFeatureExtractor(path).fit(clips)


def test_what_the_metadata_lack_is_required(tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx")
    with pytest.raises(ValueError, match=r"level\.onnx.*sampling_rate is required"):
        PretrainedFeatureExtractor(path).fit(clips)
    with pytest.raises(ValueError, match="window is required"):
        PretrainedFeatureExtractor(path, sampling_rate=RATE).fit(clips)


def test_exported_networks_take_clips_of_any_length(tmp_path, clips, write_network):
    entries = {
        "skdaf_version": "0.1.0",
        "sampling_rate": "16000",
        "window": "1.0",
        "classes": '["loud"]',
    }
    path = write_network(tmp_path / "level.onnx", entries=entries)
    model = PretrainedFeatureExtractor(path).fit(clips)
    assert model.window_ is None
    np.testing.assert_allclose(model.transform(clips), levels(clips), atol=1e-6)
    assert list(model.get_feature_names_out()) == ["loud"]


def test_outputs(tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx", outputs=("level", "mean"))

    def features(output):
        model = PretrainedFeatureExtractor(path, sampling_rate=RATE, window=1.0, output=output)
        return model.fit_transform(clips)

    np.testing.assert_array_equal(features("mean"), features(1))
    np.testing.assert_array_equal(features("level"), features(0))
    assert not np.array_equal(features(0), features(1))
    for output in (None, 2, "other"):
        with pytest.raises(ValueError, match=r"output=.*\['level', 'mean'\]"):
            features(output)


def test_a_file_that_is_no_network(tmp_path, clips):
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"broken\.onnx.*not an ONNX network"):
        PretrainedFeatureExtractor(tmp_path / "broken.onnx", sampling_rate=RATE).fit(clips)


def test_a_device_that_is_absent(tmp_path, clips, write_network):
    path = write_network(tmp_path / "level.onnx")
    for device in ("cuda", "mps"):
        with pytest.raises(ValueError, match=f"device='{device}'"):
            PretrainedFeatureExtractor(path, sampling_rate=RATE, window=1, device=device).fit(clips)


@pytest.fixture
def with_weights_elsewhere(tmp_path, monkeypatch):
    """A network whose weights are in a second file, in the current folder."""
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    monkeypatch.chdir(tmp_path)
    weights = onnx.numpy_helper.from_array(noise(0, 8000).reshape(4000, 2), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["waveform", "weights"], ["features"])],
        "product",
        [helper.make_tensor_value_info("waveform", types.FLOAT, ("n", 4000))],
        [helper.make_tensor_value_info("features", types.FLOAT, ("n", 2))],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, "split.onnx", save_as_external_data=True, location="split.data")
    return tmp_path


def test_weights_in_a_second_file_are_read(with_weights_elsewhere, clips):
    model = PretrainedFeatureExtractor("split.onnx", sampling_rate=RATE).fit(clips)
    (with_weights_elsewhere / "split.data").unlink()
    expected = clips[0][0] @ noise(0, 8000).reshape(4000, 2)
    np.testing.assert_allclose(model.transform(clips[:1])[0], expected, atol=1e-4)
    with pytest.raises(ValueError, match="cannot be read as ONNX"):
        read_onnx("split.onnx")


def test_bytes_of_a_network_name_no_files(with_weights_elsewhere, clips):
    content = np.fromfile("split.onnx", np.uint8)
    with pytest.raises(ValueError, match="not an ONNX network"):
        PretrainedFeatureExtractor(content, sampling_rate=RATE).fit(clips)
