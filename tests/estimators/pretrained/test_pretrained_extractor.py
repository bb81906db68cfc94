import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import noise, write_audio
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from torch import nn

from skdaf import AudioReadError, Clip, PretrainedFeatureExtractor, load_audio, predict_segments
from skdaf._estimators.pretrained import models

RATE = 16_000


def levels(waveforms):
    """Return four rows per waveform: mean, mean absolute value of each quarter."""
    n = waveforms.shape[1] // 4
    quarters = waveforms[:, : 4 * n].reshape(len(waveforms), 4, n)
    return np.stack([quarters.mean(axis=2), np.abs(quarters).mean(axis=2)], axis=2)


def rows_of(clips):
    return np.stack([levels(samples[None])[0] for samples, _ in clips])


def extractor(model=levels, **parameters):
    return PretrainedFeatureExtractor(model, **{"sampling_rate": RATE} | parameters)


POOLED = {
    "mean": lambda rows: rows.mean(axis=1),
    "mean+std": lambda rows: np.hstack([rows.mean(axis=1), rows.std(axis=1)]),
    "max": lambda rows: rows.max(axis=1),
    "none": lambda rows: rows.reshape(len(rows), -1),
}


@pytest.mark.parametrize("pooling", POOLED)
def test_rows_are_pooled(pooling, clips):
    features = extractor(pooling=pooling).fit_transform(clips)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, POOLED[pooling](rows_of(clips)), atol=1e-6)


def test_names_follow_the_pooling(clips):
    names = {
        pooling: list(extractor(pooling=pooling).fit(clips).get_feature_names_out())
        for pooling in POOLED
    }
    assert names["mean"] == names["max"] == ["feature_0", "feature_1"]
    assert names["mean+std"] == [
        *("feature_0_mean", "feature_1_mean", "feature_0_std", "feature_1_std")
    ]
    assert names["none"][:3] == ["row0_feature_0", "row0_feature_1", "row1_feature_0"]
    table = extractor().set_output(transform="pandas").fit_transform(clips)
    assert list(table.columns) == names["mean"]


def test_files_pairs_tables_and_clips_are_the_same(tmp_path, clips):
    paths = [
        write_audio(tmp_path / f"{i}.wav", *clip, subtype="FLOAT") for i, clip in enumerate(clips)
    ]
    expected = extractor().fit_transform(clips)
    for X in (paths, pd.DataFrame({"path": paths}), [Clip(path) for path in paths]):
        np.testing.assert_array_equal(extractor().fit_transform(X), expected)
    equal = [samples for samples, _ in clips if len(samples) == 4000]
    for X in (equal, np.stack(equal), torch.tensor(np.stack(equal))):
        np.testing.assert_array_equal(extractor().fit_transform(X), expected[[0, 2]])
    part = extractor().fit_transform([Clip(paths[1], 0.25, 0.5)])
    np.testing.assert_array_equal(part, extractor().fit_transform([(clips[1][0][4000:8000], RATE)]))


def test_files_are_resampled_to_the_rate_of_the_model(tmp_path):
    path = write_audio(tmp_path / "slow.wav", noise(0, 4000), 8000)
    resampled, _ = load_audio(path, sampling_rate=RATE)
    assert len(resampled) == 8000
    expected = extractor().fit_transform([(resampled, RATE)])
    np.testing.assert_allclose(extractor().fit_transform([path]), expected, atol=1e-6)


def test_windows_are_pooled_together(clips):
    windows = extractor(window=0.125, step=0.0625).fit_transform(clips)
    for features, (samples, _) in zip(windows, clips, strict=True):
        parts = [samples[i : i + 2000] for i in range(0, len(samples) - 1000, 1000)]
        rows = np.concatenate([levels(part[None])[0] for part in parts])
        np.testing.assert_allclose(features, rows.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("settings", [{"n_jobs": 2}, {"batch_size": 1}, {"batch_size": 2}])
def test_settings_of_a_run_do_not_change_the_features(settings, many_sounds):
    expected = extractor().fit_transform(many_sounds.filenames)
    with joblib.parallel_config("threading"):
        features = extractor(**settings).fit_transform(many_sounds.filenames)
    np.testing.assert_array_equal(features, expected)


def test_a_cache_needs_a_fingerprint(tmp_path, clips, write_network):
    with pytest.raises(ValueError, match=r"cache=.*fingerprint.*function"):
        extractor(cache=tmp_path).fit(clips)
    later = extractor().fit(clips).set_params(cache=tmp_path)
    with pytest.raises(ValueError, match=r"cache=.*fingerprint.*function"):
        later.transform(clips)


def test_a_cache_is_used(tmp_path, sounds, write_network, monkeypatch):
    path = write_network(tmp_path / "level.onnx")
    model = extractor(path, window=0.5, cache=tmp_path / "cache").fit(sounds.filenames[:4])
    expected = model.transform(sounds.filenames[:4])
    monkeypatch.setattr(
        "skdaf._estimators.pretrained.extraction.PretrainedExtraction.compute", None
    )
    np.testing.assert_array_equal(model.transform(sounds.filenames[:4]), expected)
    with pytest.raises(TypeError):
        model.set_params(pooling="max").transform(sounds.filenames[:4])


def test_the_networks_of_several_extractors_stay_loaded(clips):
    extractors = [extractor(function).fit(clips) for function in (levels, np.square, np.negative)]
    n_loaded = models._load.cache_info().misses
    for model in extractors * 2:
        model._extraction().rows([clips[0][0]])
    assert models._load.cache_info().misses == n_loaded


# Errors.


def test_none_needs_clips_of_one_length():
    def frames(waveforms):
        return waveforms[:, : waveforms.shape[1] // 100 * 100].reshape(len(waveforms), -1, 100)

    clips = [(noise(0, 1000), RATE), (noise(1, 2000), RATE)]
    model = extractor(frames, pooling="none").fit(clips)
    with pytest.raises(ValueError, match="'none' needs clips of one length"):
        model.transform(clips)
    assert extractor(frames).fit_transform(clips).shape == (2, 100)


def test_the_number_of_features_may_not_depend_on_the_length():
    clips = [(noise(0, 1000), RATE), (noise(1, 2000), RATE)]
    with pytest.raises(ValueError, match="2000 features for a clip, but 1000"):
        extractor(lambda waveforms: waveforms).fit(clips).transform(clips)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (lambda waveforms: waveforms[:1], "shape"),
        (lambda waveforms: waveforms[:, None, None], "shape"),
        (lambda waveforms: waveforms[:, :1] * np.nan, "NaN"),
        (lambda waveforms: np.full((len(waveforms), 2), "a"), "numbers"),
    ],
)
def test_outputs_that_are_no_features(model, problem):
    with pytest.raises(ValueError, match=problem):
        extractor(model).fit([(noise(0, 100), RATE)] * 3).transform([(noise(0, 100), RATE)] * 3)


def test_a_function_needs_a_sampling_rate(clips):
    with pytest.raises(ValueError, match="sampling_rate is required for the function levels"):
        PretrainedFeatureExtractor(levels).fit(clips)
    with pytest.raises(ValueError, match="output='b'"):
        extractor(output="b").fit(clips)


def test_a_step_needs_windows(clips):
    with pytest.raises(ValueError, match=r"step=0\.1 needs windows"):
        extractor(step=0.1).fit(clips)
    with pytest.raises(ValueError, match="Windows per second"):
        extractor(window=0.1, step=1e-5).fit(clips)


@pytest.mark.parametrize(
    ("model", "kind", "problem"),
    [
        ("silero-vda", FileNotFoundError, "Did you mean 'silero-vad'"),
        ("missing.onnx", FileNotFoundError, "nor an existing file"),
        (nn.Linear, TypeError, "not its class"),
        (LogisticRegression(), TypeError, "CNNFeatureExtractor"),
        (3, TypeError, "got 3"),
    ],
)
def test_what_is_no_model(model, kind, problem, clips):
    with pytest.raises(kind, match=problem):
        extractor(model).fit(clips)


def test_a_saved_estimator_or_a_sound_is_no_model(tmp_path, sounds):
    with pytest.raises(ValueError, match=r"must end with \.onnx"):
        extractor(sounds.filenames[0]).fit(sounds.filenames)


def test_files_that_cannot_be_read_are_all_named(tmp_path, sounds):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    missing = tmp_path / "b.wav"
    with pytest.raises(AudioReadError, match=r"(?s)a\.wav.*b\.wav.*no such file"):
        extractor().fit([sounds.filenames[0], tmp_path / "a.wav", missing])


def test_waveforms_without_a_rate_are_reported_once(monkeypatch):
    backbone = models.load(
        models.find_model(levels),
        sampling_rate=RATE,
        window=None,
        output=None,
        device="cpu",
        batch_size=1,
    )
    # A model that knows its rate.
    monkeypatch.setattr(models, "_load", lambda model, options: backbone)
    model = PretrainedFeatureExtractor(levels)
    X = noise(0, 400)[None]
    with pytest.warns(UserWarning, match="16000 Hz is assumed"):
        model.fit(X)
    model.transform(X)
    with pytest.raises(ValueError, match="sampling_rate=8000, but levels takes 16000 Hz"):
        extractor(sampling_rate=8000).fit(X)


# Modules and TorchScript.


class Moments(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.dropout = nn.Dropout(0.5)

    def forward(self, waveforms):
        moments = torch.stack([waveforms.mean(1), waveforms.std(1)], dim=1)
        return self.dropout(moments * self.scale)


def test_a_module_is_used_in_evaluation_mode_and_copied(clips):
    module = Moments()
    model = extractor(module).fit(clips)
    features = model.transform(clips)
    assert module.training
    with torch.no_grad():
        module.scale.mul_(3)
    np.testing.assert_array_equal(model.transform(clips), features)
    np.testing.assert_allclose(extractor(module).fit_transform(clips), 3 * features, rtol=1e-6)
    expected = [(samples.mean(), 2 * samples.std(ddof=1)) for samples, _ in clips]
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_torchscript(tmp_path, clips, write_torchscript):
    path = tmp_path / "moments.pt"
    write_torchscript(Moments().eval(), path)
    model = extractor(path).fit(clips)
    np.testing.assert_allclose(
        model.transform(clips), extractor(Moments()).fit_transform(clips), atol=1e-6
    )
    assert len(model.sha256_) == 64
    # The pickle contains the file.
    path.unlink()
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(clips), model.transform(clips))
    with pytest.raises(FileNotFoundError):
        clone(model).fit(clips)


def test_weights_alone_are_no_torchscript(tmp_path, clips):
    torch.save(Moments().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"weights\.pt.*not TorchScript"):
        extractor(tmp_path / "weights.pt").fit(clips)


class Several(nn.Module):
    def forward(self, waveforms):
        return {"first": waveforms[:, :1], "rows": waveforms[:, :6].reshape(-1, 3, 2)}


def test_an_output_is_chosen_by_name_or_position(clips):
    first = extractor(Several(), output="first").fit_transform(clips)
    np.testing.assert_array_equal(first[:, 0], [samples[0] for samples, _ in clips])
    np.testing.assert_array_equal(extractor(Several(), output=0).fit_transform(clips), first)
    assert extractor(Several(), output=-1).fit_transform(clips).shape == (3, 2)
    for output in (None, "second", 2):
        with pytest.raises(ValueError, match=r"\['first', 'rows'\]"):
            extractor(Several(), output=output).fit(clips)
    with pytest.raises(ValueError, match="single tensor"):
        extractor(Moments(), output=1).fit(clips)


# Together with others.


def test_pipelines_unions_and_segments(sounds, sound_labels):
    union = FeatureUnion([("levels", extractor()), ("windows", extractor(window=0.1))])
    model = make_pipeline(union, LogisticRegression(C=1e4, max_iter=1000))
    model.fit(sounds.filenames, sound_labels)
    parts = [part.transform(sounds.filenames) for _, part in union.transformer_list]
    np.testing.assert_array_equal(model[0].transform(sounds.filenames), np.hstack(parts))
    table = predict_segments(model, sounds.filenames[0], window=0.1)
    assert set(table.label) <= set(sound_labels)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        loaded.predict_proba(sounds.filenames), model.predict_proba(sounds.filenames)
    )
