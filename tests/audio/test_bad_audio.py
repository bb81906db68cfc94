"""Any recording is read as finite numbers, or there is an error."""

import numpy as np
import pytest
import soundfile as sf
from helpers import any_length, silence
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from skdaf import (
    AudioReadError,
    Clip,
    CNNAudioClassifier,
    SpectrogramTransformer,
    check_audio,
    load_audio,
)
from skdaf._audio.reading import read_info
from skdaf._audio.resampling import resample
from skdaf._audio.samples import MAX_SAMPLE

pytestmark = [any_length, silence]

# (format, subtype, type of the samples, largest number of channels): what is exact in float32.
EXACT = [
    ("WAV", "PCM_16", np.int16, 40),
    ("WAVEX", "PCM_16", np.int16, 40),
    ("AIFF", "PCM_16", np.int16, 40),
    ("CAF", "PCM_16", np.int16, 40),
    ("FLAC", "PCM_16", np.int16, 8),
    ("WAV", "FLOAT", np.float32, 40),
    ("AIFF", "FLOAT", np.float32, 40),
]
SCALES = {np.int16: 2.0**-15, np.float32: 1.0}

formats = st.sampled_from(EXACT)
# FLAC holds rates above 65,535 Hz in tens.
rates = st.integers(100, 65_535) | st.integers(6554, 38_400).map(lambda tens: 10 * tens)
floats = st.floats(width=32, allow_nan=True, allow_infinity=True)
sensible_floats = st.floats(-1e6, 1e6, width=32)


@st.composite
def recordings(draw, elements=sensible_floats):
    """Draw (format, subtype, samples, rate)."""
    format_, subtype, dtype, most_channels = draw(formats)
    shape = (draw(st.integers(1, 300)), draw(st.integers(1, most_channels)))
    numbers = elements if dtype is np.float32 else st_numpy.from_dtype(np.dtype(dtype))
    samples = draw(st_numpy.arrays(dtype, shape, elements=numbers))
    return format_, subtype, samples, draw(rates)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(tmp_path_factory.mktemp("bad") / "sound.wav")


def write(path, recording):
    format_, subtype, samples, rate = recording
    sf.write(path, samples, rate, format=format_, subtype=subtype)
    return samples.astype(np.float32) * np.float32(SCALES[samples.dtype.type]), rate


# What is written is read.


@given(recordings())
def test_samples_come_back_whatever_they_are(path, recording):
    written, rate = write(path, recording)
    samples, found_rate = load_audio(path)
    assert found_rate == rate
    assert samples.dtype == np.float32
    # The mean in float32, of up to 40 channels.
    tolerance = 40 * 2**-24 * np.abs(written).max()
    np.testing.assert_allclose(samples, written.astype(float).mean(axis=1), rtol=0, atol=tolerance)
    row = check_audio([path]).loc[0]
    assert row.ok
    assert (row.sampling_rate, row.channels) == (rate, written.shape[1])
    assert row.duration == len(written) / rate
    assert row.peak == np.abs(written).max()


@given(recordings(), recordings())
def test_copies_are_equal_samples(tmp_path_factory, path, first, second):
    other = path.replace("sound", "other")
    (a, rate_a), (b, rate_b) = write(path, first), write(other, second)
    are_equal = rate_a == rate_b and a.shape == b.shape and a.tobytes() == b.tobytes()
    assert check_audio([path, other]).duplicate_of[1] == (path if are_equal else "")
    sf.write(other, first[2], rate_a, format="CAF", subtype=first[1])
    assert check_audio([path, other]).duplicate_of[1] == path


@given(recordings(floats))
def test_the_first_sample_that_is_not_finite_is_named(path, recording):
    written, rate = write(path, recording)
    bad = np.flatnonzero(~(np.abs(written) < MAX_SAMPLE).all(axis=1))
    if not bad.size:
        assert np.isfinite(load_audio(path)[0]).all()
        return
    with pytest.raises(AudioReadError) as info:
        load_audio(path)
    assert f"the sample at {round(int(bad[0]) / rate, 6):.12g} s is " in str(info.value)
    assert not check_audio([path]).ok[0]
    if bad[0]:
        before = load_audio(path, end=bad[0] / rate)[0]
        assert len(before) == bad[0]


# Parts.


@given(recordings(), st.floats(0, 4), st.none() | st.floats(0, 4), st.booleans())
def test_a_part_is_a_slice(path, recording, start, length, beyond):
    written, rate = write(path, recording)
    n = len(written)
    whole, _ = load_audio(path)
    start = start * n / rate / 3
    end = None if length is None else start + length * n / rate / 3
    assume(end is None or end > start)
    first = round(start * rate)
    if first and first >= n:
        with pytest.raises(AudioReadError, match="the clip starts at"):
            load_audio(Clip(path, start, end))
        return
    last = n if end is None else min(n, max(round(end * rate), first + 1))
    np.testing.assert_array_equal(load_audio(Clip(path, start, end))[0], whole[first:last])
    assert read_info(Clip(path, start, end)).n_frames == last - first


@given(recordings(), st.lists(st.integers(1, 299), max_size=4))
def test_parts_in_a_row_make_the_whole(path, recording, cuts):
    written, rate = write(path, recording)
    places = sorted({0, *(cut for cut in cuts if cut < len(written))})
    ends = [*(place / rate for place in places[1:]), None]
    parts = [
        load_audio(path, start=place / rate, end=end)[0]
        for place, end in zip(places, ends, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), load_audio(path)[0])


# Numbers that are finite stay finite.


@given(
    st.integers(1, 3000), rates, st.integers(100, 48_000), st.floats(-(2.0**36), 2.0**36, width=32)
)
def test_resampling_keeps_length_and_finiteness(n, source, target, level):
    samples = np.full(n, level, np.float32)
    resampled = resample(samples, source, target)
    assert len(resampled) >= 1
    assert abs(len(resampled) - n * target / source) <= 1
    assert np.isfinite(resampled).all()


@pytest.mark.filterwarnings("ignore:.* waveforms should be between -1 and 1")
@given(
    st.lists(
        st_numpy.arrays(
            np.float32,
            st.integers(1, 2000),
            elements=st.floats(-(2.0**39), 2.0**39, width=32),
            fill=st.floats(-(2.0**39), 2.0**39, width=32),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["mel", "mfcc", "mel+chroma"]),
    st.booleans(),
    st.sampled_from([None, 80.0]),
    st.sampled_from(["resize", "pad"]),
)
def test_spectrograms_of_finite_samples_are_finite(
    waveforms, features, standardize, top_db, length
):
    front_end = SpectrogramTransformer(
        features, n_mels=20, standardize=standardize, top_db=top_db, length=length
    )
    assert np.isfinite(front_end.fit_transform(waveforms)).all()


@pytest.mark.filterwarnings("ignore:.* waveforms should be between -1 and 1")
@pytest.mark.filterwarnings("ignore:hop_length")
@pytest.mark.parametrize(
    ("rate", "window_length"), [(16_000, 0.032), (192_000, 0.032), (48_000, 1.0)]
)
def test_the_loudest_samples_make_finite_spectrograms(rate, window_length):
    loudest = np.nextafter(np.float32(MAX_SAMPLE), np.float32(0))
    waveforms = loudest * np.sign(np.sin(np.arange(2 * rate) * 0.3))
    for waveform in (waveforms, np.full(2 * rate, loudest)):
        front_end = SpectrogramTransformer(
            sampling_rate=rate, window_length=window_length, hop_length=0.25, standardize=False
        )
        assert np.isfinite(front_end.fit_transform([waveform])).all()


# From files to a network: NaN is an error, silence is a recording like any other.


@pytest.fixture(scope="module")
def quiet_files(tmp_path_factory):
    """Files of digital silence, of a constant, of one sample, and of quiet and loud noise."""
    folder = tmp_path_factory.mktemp("quiet")
    noise = np.random.default_rng(0).standard_normal(4000)
    sounds = {
        "silence": np.zeros(4000),
        "constant": np.full(4000, 0.7),
        "one sample": np.array([0.5]),
        "one silent sample": np.zeros(1),
        "hardly anything": 1e-30 * noise,
        "noise": 0.1 * noise,
        "loud": 1e10 * noise,
        "clipped": np.sign(noise),
    }
    for name, samples in sounds.items():
        sf.write(folder / f"{name}.wav", samples, 16_000, subtype="FLOAT")
    return [str(folder / f"{name}.wav") for name in sounds]


@pytest.fixture
def nan_file(tmp_path):
    samples = 0.1 * np.ones((4000, 2))
    samples[2000:, 1] = np.nan
    path = tmp_path / "nan.wav"
    sf.write(path, samples, 16_000, subtype="FLOAT")
    return str(path)


def classifier(**parameters):
    return CNNAudioClassifier(max_epochs=2, random_state=0, device="cpu", **parameters)


def test_silence_is_a_sound_like_any_other(quiet_files):
    y = np.arange(len(quiet_files)) % 2
    fitted = classifier().fit(quiet_files * 3, np.tile(y, 3))
    assert all(np.isfinite(value).all() for value in fitted.history_.values())
    probabilities = fitted.predict_proba(quiet_files)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert set(fitted.predict(quiet_files)) <= {0, 1}


def test_a_classifier_can_be_fitted_to_silence_only(quiet_files):
    silence = [quiet_files[0]] * 12
    fitted = classifier().fit(silence, [0, 1] * 6)
    assert np.isfinite(fitted.predict_proba(silence)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_file_with_nan_is_named_with_its_place_by_fit_and_predict(
    quiet_files, nan_file, tmp_path, value
):
    if value is np.inf:
        samples, rate = sf.read(nan_file)
        sf.write(nan_file, np.nan_to_num(samples, nan=np.inf), rate, subtype="DOUBLE")
    fitted = classifier().fit(quiet_files, [0, 1] * 4)
    X = [*quiet_files, nan_file]
    shown = "NaN" if np.isnan(value) else "inf"
    for call in (
        lambda: classifier().fit(X, [0, 1, 1] * 3),
        lambda: fitted.predict(X),
        lambda: fitted.predict_proba(X),
        lambda: fitted.score(X, [0, 1, 1] * 3),
    ):
        with pytest.raises(AudioReadError) as info:
            call()
        assert info.value.paths == [nan_file]
        assert f"the sample at 0.125 s is {shown}" in str(info.value)
    # The samples before it are as good as any others.
    assert np.isfinite(fitted.predict_proba([Clip(nan_file, 0, 0.125)])).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_waveforms_with_such_values_are_refused_too(quiet_files, value):
    fitted = classifier().fit(quiet_files, [0, 1] * 4)
    waveforms = np.zeros((2, 4000))
    waveforms[1, 7] = value
    for call in (lambda: classifier().fit(waveforms, [0, 1]), lambda: fitted.predict(waveforms)):
        with pytest.raises(
            ValueError, match=r"X contains (NaN|infinity)|X contains a sample of 1e"
        ):
            call()
