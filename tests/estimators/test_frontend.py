"""The front end of a fitted network: settings of a run, and files that cannot be read."""

import numpy as np
import pytest
from helpers import small_classifier, small_frontend
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdaf import AudioReadError, CNNAudioClassifier, load_model, save_model

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def classifier(sounds):
    return small_classifier(max_epochs=1).fit(sounds.filenames, sounds.target)


@pytest.fixture(scope="module")
def files(sounds, tmp_path_factory):
    """More files than a batch, of which the first, one in the middle and the last are broken."""
    folder = tmp_path_factory.mktemp("broken")
    broken = [folder / f"{name}.wav" for name in "abc"]
    for path in broken:
        path.write_text("no sound")
    good = [*map(str, sounds.filenames)]
    broken = [*map(str, broken)]
    return [broken[0], *good, *good, broken[1], *good, broken[2]], broken


class TestSettingsOfARun:
    def test_a_cache_that_is_set_after_fit_is_used(self, classifier, sounds, tmp_path):
        save_model(classifier, tmp_path / "model.skops")
        loaded = load_model(tmp_path / "model.skops")
        expected = loaded.predict_proba(sounds.filenames)
        loaded.set_params(frontend__cache=tmp_path / "cache")
        np.testing.assert_array_equal(loaded.predict_proba(sounds.filenames), expected)
        assert any((tmp_path / "cache").iterdir())
        loaded.set_params(frontend__cache=None).predict(sounds.filenames[:1])
        assert loaded.frontend_.cache is None

    def test_other_parameters_apply_to_the_next_fit(self, classifier, sounds, tmp_path):
        save_model(classifier, tmp_path / "model.skops")
        loaded = load_model(tmp_path / "model.skops")
        expected = loaded.predict_proba(sounds.filenames)
        loaded.set_params(frontend__channel=1, frontend__n_mels=12)  # the files have one channel
        assert (loaded.frontend.channel, loaded.frontend_.channel) == (1, None)
        np.testing.assert_array_equal(loaded.predict_proba(sounds.filenames), expected)
        with pytest.raises(AudioReadError, match="channel"):
            loaded.fit(sounds.filenames, sounds.target)

    def test_workers_of_the_front_end_come_before_those_of_the_network(self, classifier, sounds):
        classifier.set_params(n_jobs=3, frontend__n_jobs=2).predict(sounds.filenames[:2])
        assert classifier.frontend_.n_jobs == 2
        classifier.set_params(frontend__n_jobs=None).predict(sounds.filenames[:2])
        assert classifier.frontend_.n_jobs == 3
        classifier.set_params(n_jobs=None).predict(sounds.filenames[:2])
        assert classifier.frontend_.n_jobs is None

    def test_steps_of_a_pipeline(self, sounds, tmp_path):
        frontend = make_pipeline(small_frontend(), FunctionTransformer())
        model = CNNAudioClassifier(frontend, channels=(4,), max_epochs=1, random_state=0)
        model.fit(sounds.filenames, sounds.target)
        model.set_params(frontend__spectrogramtransformer__cache=tmp_path / "cache")
        model.predict(sounds.filenames[:2])
        assert any((tmp_path / "cache").iterdir())


class TestUnreadableFiles:
    def test_of_all_batches_are_in_one_error(self, classifier, files, monkeypatch):
        paths, broken = files
        monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)
        with pytest.raises(AudioReadError) as info:
            classifier.predict(paths)
        assert info.value.paths == broken
        assert str(info.value).startswith("3 clips could not be read:\n  ")
        assert len(str(info.value).splitlines()) == 4
        with pytest.raises(AudioReadError) as info:
            classifier.predict(paths[:-1][1:])
        assert str(info.value).startswith(f"{broken[1]!r}: ")

    def test_the_folder_of_relative_paths_is_noted_once(self, classifier, sounds, monkeypatch):
        monkeypatch.setattr("skdaf._estimators.frontend._BYTES_PER_BATCH", 1)
        with pytest.raises(AudioReadError) as info:
            classifier.predict(["a.wav", *sounds.filenames, *sounds.filenames, "b.wav"])
        assert len(info.value.__notes__) == 1
