"""Tiny random networks, written as transformers writes real ones, equal direct calls of them.

All tests are in one module, because importing transformers takes seconds.
"""

import copy
import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers import import_or_skip, noise

from skdaf._estimators.pretrained.transformers_folder import load_transformers_folder
from skdaf._networks.device import single_torch_thread

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}

# A row per 20 samples, from the first 45.
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (5, 4),
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}

# 32 mel bands and 64 frames: 2 x 5 patches of 16 x 16, every 10.
PATCHES = {"num_mel_bins": 32, "max_length": 64}

# Two seconds.
WHISPER = {
    "d_model": 16,
    "num_mel_bins": 20,
    "max_source_positions": 100,
    "encoder_layers": 2,
    "decoder_layers": 1,
    **dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 2),
    **dict.fromkeys(["encoder_ffn_dim", "decoder_ffn_dim", "vocab_size"], 16),
    **dict.fromkeys(["pad_token_id", "bos_token_id", "eos_token_id"], 1),
    **dict.fromkeys(["decoder_start_token_id", "max_target_positions"], 1),
}

NETWORKS = {
    "wav2vec2": ("Wav2Vec2", {**SIZES, **CONVOLUTIONS}),
    "hubert": ("Hubert", {**SIZES, **CONVOLUTIONS, "feat_extract_norm": "layer"}),
    "wavlm": ("WavLM", {**SIZES, **CONVOLUTIONS}),
    "unispeech-sat": ("UniSpeechSat", {**SIZES, **CONVOLUTIONS}),
    "data2vec-audio": ("Data2VecAudio", {**SIZES, **CONVOLUTIONS, "conv_pos_kernel_size": 3}),
    "audio-spectrogram-transformer": ("AST", {**SIZES, **PATCHES}),
    "whisper": ("Whisper", WHISPER),
}
OF_WAVEFORMS = [
    kind for kind in NETWORKS if kind not in ("audio-spectrogram-transformer", "whisper")
]


@pytest.fixture(scope="module")
def transformers():
    library = import_or_skip("transformers")
    library.utils.logging.disable_progress_bar()
    yield library
    library.utils.logging.enable_progress_bar()


@pytest.fixture(scope="module")
def models(transformers, tmp_path_factory):
    """Return the network of a type and the folder in which it is; both are made once."""
    made = {}

    def models(kind):
        if kind not in made:
            name, settings = NETWORKS[kind]
            torch.manual_seed(0)
            config = getattr(transformers, f"{name}Config")(**settings)
            network = getattr(transformers, f"{name}Model")(config).eval()
            folder = tmp_path_factory.mktemp(name)
            network.save_pretrained(folder)
            made[kind] = network, folder
        return made[kind]

    return models


@pytest.fixture
def copied(models, tmp_path):
    """A copy of the folder of a small wav2vec 2.0, to be changed."""
    return shutil.copytree(models("wav2vec2")[1], tmp_path / "copy")


def normalized(waveform):
    return (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)


def direct(transformers, kind, network, waveform, output):
    """Return the hidden states of one clip that is not longer than the network can take."""
    if kind == "whisper":
        network, front_end = (
            network.encoder,
            transformers.WhisperFeatureExtractor(20, chunk_length=2),
        )
        inputs = front_end(waveform, sampling_rate=16_000, return_tensors="pt").input_features
    elif kind == "audio-spectrogram-transformer":
        front_end = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)
        inputs = front_end(waveform, sampling_rate=16_000, return_tensors="pt").input_values
    else:
        inputs = torch.from_numpy(normalized(waveform))[None]
    with single_torch_thread, torch.inference_mode():
        outputs = network(inputs, output_hidden_states=True)
    states = outputs.last_hidden_state if output is None else outputs.hidden_states[output]
    return states[0].numpy()


def real_rows(kind, states, n_samples):
    """Return the hidden states that belong to the clip."""
    if kind == "whisper":
        return states[: -(-n_samples // 320)]
    if kind == "audio-spectrogram-transformer":
        n_frames = 1 + (n_samples - 400) // 160
        times = [time for time in range(5) if 10 * time < n_frames]
        return states[[2 + 5 * band + time for time in times for band in range(2)]]
    return states


# --- equal to direct calls ---


@pytest.mark.parametrize("output", [None, -2])
@pytest.mark.parametrize("kind", NETWORKS)
def test_rows_equal_those_of_direct_calls(kind, output, models, transformers):
    network, folder = models(kind)
    backbone = load_transformers_folder(folder, output=output, batch_size=2)
    waveforms = [noise(seed, n) for seed, n in enumerate([3000, 8000, 3000, 3000, 5000])]
    for waveform, rows in zip(waveforms, backbone.apply(waveforms), strict=True):
        states = direct(transformers, kind, network, waveform, output)
        expected = real_rows(kind, states, len(waveform))
        assert rows.dtype == np.float32
        assert rows.shape == (len(expected), backbone.n_features) == (len(expected), 16)
        np.testing.assert_allclose(rows, expected, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_shortest_clip_has_a_row(kind, models):
    backbone = load_transformers_folder(models(kind)[1])
    rows, _ = backbone.apply([noise(0, backbone.min_samples), noise(1, 4000)])
    assert len(rows) == (2 if kind == "audio-spectrogram-transformer" else 1)
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("kind", "longest"), [("whisper", 32_000), ("audio-spectrogram-transformer", 10_480)]
)
def test_longer_clips_are_cut_into_pieces(kind, longest, models):
    backbone = load_transformers_folder(models(kind)[1])
    waveform = noise(0, 2 * longest + 5)
    (rows,) = backbone.apply([waveform])
    rest = np.pad(waveform[2 * longest :], (0, backbone.min_samples))[
        : max(5, backbone.min_samples)
    ]
    pieces = [waveform[:longest], waveform[longest : 2 * longest], rest]
    np.testing.assert_allclose(rows, np.concatenate(backbone.apply(pieces)), atol=1e-5)


def test_patches_are_in_the_order_of_times(models):
    """The input of the first layer depends on the frames of its own patch only."""
    backbone = load_transformers_folder(models("audio-spectrogram-transformer")[1], output=0)
    waveform = noise(0, 10_480)
    changed = waveform.copy()
    changed[8000:] = 0.0
    rows, others = (backbone.apply([samples])[0] for samples in (waveform, changed))
    differ = np.abs(rows - others).max(axis=1) > 1e-6
    # Samples from the 8000th on are in frames from the 48th on: those of the last patch in time.
    assert differ.tolist() == [time == 4 for time in range(5) for _ in range(2)]


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "whisper"])
def test_threads_share_the_network(kind, models):
    backbone = load_transformers_folder(models(kind)[1], output=1)
    waveforms = [noise(seed, 4000) for seed in range(6)]
    alone = [backbone.apply([waveform])[0] for waveform in waveforms]
    with ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(lambda waveform: backbone.apply([waveform])[0], waveforms))
    np.testing.assert_array_equal(rows, alone)


# --- what a folder may contain ---


def test_the_front_end_of_the_folder_is_used(copied, models, transformers):
    front_end = transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000, do_normalize=False)
    front_end.save_pretrained(copied)
    backbone = load_transformers_folder(copied)
    assert backbone.sampling_rate == 8000
    waveform = noise(0, 2000)
    with torch.inference_mode():
        expected = models("wav2vec2")[0](torch.from_numpy(waveform)[None]).last_hidden_state[0]
    np.testing.assert_allclose(backbone.apply([waveform])[0], expected, atol=1e-5)


def test_a_network_with_a_head_gives_the_features_below_it(models, transformers, tmp_path):
    network, folder = models("wav2vec2")
    with_head = transformers.Wav2Vec2ForCTC(copy.deepcopy(network.config))
    with_head.wav2vec2.load_state_dict(network.state_dict())
    with_head.save_pretrained(tmp_path)
    waveform = noise(0, 2000)
    (expected,) = load_transformers_folder(folder).apply([waveform])
    np.testing.assert_allclose(load_transformers_folder(tmp_path).apply([waveform])[0], expected)


def test_an_adapter_changes_the_size_of_the_last_rows_only(transformers, tmp_path):
    config = transformers.Wav2Vec2Config(
        **SIZES, **CONVOLUTIONS, add_adapter=True, output_hidden_size=12
    )
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path)
    for output, size in ((None, 12), (-1, 16)):
        backbone = load_transformers_folder(tmp_path, output=output)
        assert backbone.apply([noise(0, 2000)])[0].shape[1] == backbone.n_features == size


def test_weights_in_half_precision_are_used_in_single_precision(models, tmp_path):
    network, folder = models("hubert")
    copy.deepcopy(network).half().save_pretrained(tmp_path)
    waveform = noise(0, 2000)
    (rows,) = load_transformers_folder(tmp_path).apply([waveform])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(
        rows, load_transformers_folder(folder).apply([waveform])[0], atol=0.05
    )


def test_loading_prints_nothing_and_restores_messages(copied, transformers, capfd):
    logging = transformers.utils.logging
    logging.set_verbosity_info()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_transformers_folder(copied).apply([noise(0, 2000)])
        assert logging.get_verbosity() == logging.INFO
    finally:
        logging.set_verbosity_warning()
    assert capfd.readouterr() == ("", "")


def test_the_hash_depends_on_weights_and_settings(copied):
    before = load_transformers_folder(copied).sha256
    change_json(copied / "config.json", layerdrop=0.5)
    assert load_transformers_folder(str(copied)).sha256 != before


# --- what is refused ---


def change_json(path, **values):
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **values}))


def test_a_folder_without_a_description_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no file config\.json"):
        load_transformers_folder(tmp_path)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "[1]", "\xff"])
def test_a_broken_description_is_refused(content, copied):
    (copied / "config.json").write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=r"config\.json' (is not a JSON file|must contain)"):
        load_transformers_folder(copied)


@pytest.mark.parametrize("model_type", ["bert", None, ["whisper"]])
def test_other_types_are_refused_with_those_that_are_supported(model_type, copied):
    change_json(copied / "config.json", model_type=model_type)
    with pytest.raises(ValueError, match=r"supported types are audio-.*, hubert, .*, whisper\."):
        load_transformers_folder(copied)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_code_in_the_folder_is_refused(file, copied):
    change_json(copied / file, auto_map={"AutoModel": "own.Network"})
    (copied / "own.py").write_text("raise SystemExit")
    with pytest.raises(ValueError, match=f"code of its own .auto_map in {file}"):
        load_transformers_folder(copied)


def test_pickled_weights_are_refused(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"\(pytorch_model\.bin\) are not read: they can run code"):
        load_transformers_folder(copied)


def test_an_adapter_alone_is_refused(copied):
    change_json(copied / "adapter_config.json", base_model_name_or_path="elsewhere")
    with pytest.raises(ValueError, match="contains an adapter"):
        load_transformers_folder(copied)


def test_broken_weights_are_refused(copied):
    (copied / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_transformers_folder(copied)


def test_a_network_that_lacks_weights_is_refused(copied):
    change_json(copied / "config.json", num_hidden_layers=3)
    with pytest.raises(ValueError, match=r"lack \d+ of the weights .* such as 'encoder\.layers\.2"):
        load_transformers_folder(copied)


def test_weights_of_other_sizes_are_refused(copied):
    change_json(copied / "config.json", hidden_size=32)
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_transformers_folder(copied)


@pytest.mark.parametrize("output", [3, -4, True, 1.0, "last"])
def test_hidden_states_that_do_not_exist_are_refused(output, models):
    with pytest.raises(ValueError, match=r"from 0 to 2, or from -3 to -1: .* has 2 layers"):
        load_transformers_folder(models("wav2vec2")[1], output=output)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("audio-spectrogram-transformer", {"max_length": 100}),
        ("whisper", {"chunk_length": 30, "feature_size": 20}),
    ],
)
def test_a_front_end_of_another_size_is_refused(kind, settings, models, tmp_path):
    folder = shutil.copytree(models(kind)[1], tmp_path / "copy")
    change_json(folder / "preprocessor_config.json", **settings)
    with pytest.raises(ValueError, match=r"The front end returns .* but the network takes"):
        load_transformers_folder(folder)
