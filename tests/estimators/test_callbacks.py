"""scikit-learn's callbacks follow every epoch, and do not affect the weights."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skdaf import (
    CNNAudioClassifier,
    CNNFeatureExtractor,
    ConvAutoencoderEmbedder,
    SpectrogramTransformer,
    load_model,
    save_model,
)
from skdaf._networks.weights import get_weights

pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")

N_EPOCHS = 3


def small(**changes):
    frontend = SpectrogramTransformer(n_mels=16, n_frames=12)
    params = {"channels": (4,), "hidden_units": (4,), "max_epochs": N_EPOCHS, "random_state": 0}
    return CNNAudioClassifier(frontend, **{**params, **changes})


class Recorder:
    """Record each call as (hook, estimator, task, number of the task's subtasks)."""

    max_propagation_depth = None

    def __init__(self, stop_at=None):
        self.notes, self.stop_at = [], stop_at

    def setup(self, estimator, context):
        self.notes.append(("setup", context.estimator_name))

    def teardown(self, estimator, context):
        self.notes.append(("teardown", context.estimator_name))

    def on_fit_task_begin(self, estimator, context):
        self.notes.append(("begin", context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.notes.append(("end", context.estimator_name, context.task_name))
        return context.task_name == "epoch" and context.task_id == self.stop_at


def epochs(notes, name="CNNAudioClassifier"):
    return notes.count(("end", name, "epoch"))


@pytest.mark.parametrize(
    "estimator", [small(), ConvAutoencoderEmbedder(channels=(4,), max_epochs=N_EPOCHS)]
)
def test_callbacks_follow_every_epoch(estimator, sounds):
    recorder, name = Recorder(), type(estimator).__name__
    estimator = clone(estimator).set_callbacks(recorder)
    estimator.fit(sounds.filenames, sounds.target)
    both = [("begin", name, "epoch"), ("end", name, "epoch")]
    expected = [("setup", name), ("begin", name, "fit"), *both * N_EPOCHS, ("end", name, "fit")]
    assert recorder.notes == [*expected, ("teardown", name)]
    assert "_callback_fit_ctx" not in vars(estimator)


def test_callbacks_follow_every_call_of_partial_fit(sounds):
    recorder = Recorder()
    model = small().set_callbacks(recorder)
    for _ in range(2):
        model.partial_fit(sounds.filenames, sounds.target, classes=[0, 1, 2])
    assert epochs(recorder.notes) == 2
    assert recorder.notes.count(("begin", "CNNAudioClassifier", "fit")) == 2


def test_a_callback_can_stop_training(sounds):
    model = small(max_epochs=20).set_callbacks(Recorder(stop_at=1))
    model.fit(sounds.filenames, sounds.target)
    assert model.n_epochs_ == 2
    assert model.predict(sounds.filenames[:2]).shape == (2,)


class Scores:
    """Record how well the estimator of each epoch predicts."""

    def __init__(self):
        self.scores = []

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.scores.append(fitted_estimator.score(X, y))
        assert fitted_estimator.network_ is not getattr(estimator, "network_", None)


def test_epochs_can_be_scored_without_changing_the_model(sounds, sound_labels):
    callback = Scores()
    model = small(early_stopping=False).set_callbacks(callback)
    model.fit(sounds.filenames, sound_labels)
    plain = small(early_stopping=False).fit(sounds.filenames, sound_labels)
    assert len(callback.scores) == N_EPOCHS + 1
    # The last epoch is the best one here.
    expected = plain.score(sounds.filenames, sound_labels)
    assert callback.scores[-2:] == pytest.approx([expected] * 2)
    for name, weights in get_weights(plain.network_).items():
        np.testing.assert_array_equal(get_weights(model.network_)[name], weights)


def test_bars_nest_through_searches_pipelines_and_extractors(sounds):
    recorder = Recorder()
    inside = small()
    pipeline = make_pipeline(CNNFeatureExtractor(inside), SVC())
    search = GridSearchCV(inside, {"learning_rate": [1e-3, 1e-2]}, cv=2).set_callbacks(recorder)
    search.fit(sounds.filenames, sounds.target)
    # Two candidates, two folds, and once more on all clips.
    assert epochs(recorder.notes) == 5 * N_EPOCHS
    assert recorder.notes.count(("begin", "CNNAudioClassifier", "fit")) == 5
    assert recorder.notes[0] == ("setup", "GridSearchCV")
    assert not hasattr(search.best_estimator_, "_skl_callbacks")
    recorder = Recorder()
    with pytest.warns(UserWarning, match="SVC does not support callbacks"):
        pipeline.set_callbacks(recorder).fit(sounds.filenames, sounds.target)
    assert epochs(recorder.notes) == N_EPOCHS


def test_scikit_learns_bars_are_drawn(sounds, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    from sklearn.callback import ProgressBar

    search = GridSearchCV(small(), {"learning_rate": [1e-3, 1e-2]}, cv=2, n_jobs=2)
    with joblib.parallel_config(backend="threading"):
        search.set_callbacks(ProgressBar()).fit(sounds.filenames, sounds.target)
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    assert "CNNAudioClassifier - fit" in shown
    assert "100%" in shown


def test_a_model_with_callbacks_cannot_be_saved(sounds, tmp_path):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    model = small().set_callbacks(monitor).fit(sounds.filenames, sounds.target)
    with pytest.raises(ValueError, match=r"set_callbacks\(\) without arguments"):
        save_model(model, tmp_path / "model.skops")
    assert list(tmp_path.iterdir()) == []
    save_model(model.set_callbacks(), tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(
        loaded.predict_proba(sounds.filenames), model.predict_proba(sounds.filenames)
    )


def test_failing_fits_leave_nothing_behind(sounds):
    recorder = Recorder()
    model = small(learning_rate=1e30, precision="float32").set_callbacks(recorder)
    with pytest.raises(ValueError, match="loss became"):
        model.fit(sounds.filenames, sounds.target)
    assert recorder.notes[-1] == ("teardown", "CNNAudioClassifier")
    assert "_callback_fit_ctx" not in vars(model)


def test_old_releases_of_scikit_learn_have_no_callbacks():
    code = (
        "import sys; sys.modules['sklearn.callback'] = None\n"
        "from skdaf._estimators.callbacks import CallbackSupportMixin, callback_steps\n"
        "assert not any(not name.startswith('__') for name in vars(CallbackSupportMixin))\n"
        "with callback_steps(object(), 3, None, None) as steps:\n"
        "    assert steps.end_step('epoch', None) is False\n"
        "    with steps.inner_fit('network', None):\n"
        "        print('done')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "done"
