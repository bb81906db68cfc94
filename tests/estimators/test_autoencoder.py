import joblib
import numpy as np
import pytest
from helpers import any_length, small_embedder
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdaf import AudioReadError

pytestmark = pytest.mark.oldest


@pytest.fixture(scope="module")
def fitted(sounds):
    return small_embedder().fit(sounds.filenames)


def test_learns_to_reconstruct_spectrograms(fitted, sounds):
    spectrograms = fitted.frontend_.transform(sounds.filenames)
    drawn = fitted.reconstruct(sounds.filenames)
    assert drawn.shape == spectrograms.shape == (60, 12, 16)
    # Predicting the mean of all values everywhere would have this error: the variance.
    assert ((drawn - spectrograms) ** 2).mean() < 0.5 * spectrograms.var()


def test_score_is_minus_the_mean_squared_error(fitted, sounds):
    spectrograms = fitted.frontend_.transform(sounds.filenames)
    error = ((fitted.reconstruct(sounds.filenames) - spectrograms) ** 2).mean()
    assert fitted.score(sounds.filenames) == pytest.approx(-error, rel=1e-5)


def test_more_epochs_score_better(fitted, sounds):
    assert fitted.score(sounds.filenames) > small_embedder(max_epochs=1).fit(
        sounds.filenames
    ).score(sounds.filenames)


def test_size_of_the_embedding(fitted, sounds):
    embeddings = fitted.transform(sounds.filenames)
    assert embeddings.shape == (60, 3 * 3 * 4)
    assert embeddings.dtype == np.float32
    names = fitted.get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("embedding_0", "embedding_35", 36)


@any_length
def test_embeddings_of_clips_of_any_length_have_one_size(fitted):
    rng = np.random.default_rng(0)
    clips = [(rng.standard_normal(n), 16000) for n in (1, 100, 5000, 40000)]
    assert fitted.transform(clips).shape == (4, 36)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3), (13, 21), (16, 16)])
def test_any_size_of_spectrogram_works(size):
    X = np.random.default_rng(0).standard_normal((6, *size))
    embedder = small_embedder(channels=(4, 4, 4), max_epochs=1).fit(X)
    assert embedder.reconstruct(X).shape == X.shape
    assert embedder.transform(X).shape == (6, embedder.layer_size(4))


def test_embeddings_separate_kinds_of_sound_without_labels(sounds):
    model = make_pipeline(small_embedder(), StandardScaler(), LogisticRegression(max_iter=1000))
    assert cross_val_score(model, sounds.filenames, sounds.target, cv=2).mean() > 0.9


def test_layers_are_encoder_embedding_decoder(fitted):
    assert fitted.layer_names_ == ["conv1", "conv2", "embedding", "deconv1", "deconv2", "output"]


def test_history_has_losses_but_no_scores(sounds):
    history = small_embedder(validation_fraction=0.2, max_epochs=2).fit(sounds.filenames).history_
    assert set(history) == {"learning_rate", "train_loss", "valid_loss"}


def test_few_clips_train_without_validation_and_one_clip_is_an_error(sounds):
    assert "valid_loss" not in small_embedder(max_epochs=1).fit(sounds.filenames[:2]).history_
    assert (
        "valid_loss"
        not in small_embedder(max_epochs=1, validation_fraction=0.99)
        .fit(sounds.filenames[:10])
        .history_
    )
    with pytest.raises(ValueError, match="at least 2 clips to train on, got 1 sample"):
        small_embedder().fit(sounds.filenames[:1])


def test_same_seed_same_bytes(fitted, sounds):
    again = small_embedder().fit(sounds.filenames)
    np.testing.assert_array_equal(
        again.transform(sounds.filenames), fitted.transform(sounds.filenames)
    )


def test_the_decoder_must_undo_augmentation(sounds):
    blank = small_embedder(augment=lambda batch, generator: batch * 0, max_epochs=3).fit(
        sounds.filenames
    )
    # The decoder learns to return the mean spectrogram, not the blank input.
    spectrograms = blank.frontend_.transform(sounds.filenames)
    assert blank.history_["train_loss"][-1] > 0.5 * spectrograms.var(axis=0).mean()


def test_joblib_round_trip(fitted, sounds, tmp_path):
    joblib.dump(fitted, tmp_path / "embedder.joblib")
    loaded = joblib.load(tmp_path / "embedder.joblib")
    for method in ("transform", "reconstruct"):
        np.testing.assert_array_equal(
            getattr(loaded, method)(sounds.filenames), getattr(fitted, method)(sounds.filenames)
        )


def test_search_by_its_own_score(sounds):
    search = GridSearchCV(small_embedder(max_epochs=3), {"n_channels": [1, 4]}, cv=2)
    search.fit(sounds.filenames)
    assert search.best_score_ < 0


def test_pandas_output(fitted, sounds):
    table = (
        small_embedder(max_epochs=1).set_output(transform="pandas").fit_transform(sounds.filenames)
    )
    assert table.columns[0] == "embedding_0"


def test_bad_files_are_named(sounds):
    with pytest.raises(AudioReadError, match=r"lost\.wav"):
        small_embedder().fit([*sounds.filenames, "lost.wav"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_channels": 0}, "n_channels"),
        ({"channels": ()}, "channels must name at least one conv block"),
        ({"kernel_size": 2}, "kernel_size must be odd"),
    ],
)
def test_wrong_parameters(changes, message, sounds):
    with pytest.raises(ValueError, match=message):
        small_embedder(**changes).fit(sounds.filenames)
