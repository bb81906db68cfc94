"""Train a CNN, test it, draw the result, save it, load it, and predict one file.

python examples/quickstart.py           ten synthetic spoken words of new speakers
python examples/quickstart.py FOLDER    your recordings, one folder per class
python examples/quickstart.py TABLE     your recordings in a CSV or TSV file with
                                        the columns path and label, and with group
                                        or fold if recordings are related
"""

import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    classification_report,
)
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdaf import (
    AudioReadError,
    CNNAudioClassifier,
    PyAudioAnalysisTransformer,
    SpectrogramDisplay,
    make_combined_classifier,
)
from skdaf.datasets import load_audio_folders, load_audio_table, make_speech_dataset

PICTURE = Path("skdaf-demo.png")
MIN_CLIPS = 8  # per class: six for training and two for testing
N_SHOWN = 10  # classes with a spectrogram in the picture
ABOUT = {
    "hand-crafted": "features of pyAudioAnalysis and an SVC",
    "CNN": "a network trained on spectrograms",
    "combined": "both vote",
}


def main(source, workspace):
    paths, labels, groups = load(source, workspace)
    train, test = split(labels, groups)
    if groups is None:
        print(
            "Clips are split at random. If several come from one recording or\n"
            "speaker, that is too easy: pass a table with a column group."
        )
    print(f"Training on {len(train)} clips, testing on {len(test)} others.\n")
    models, predictions = compare(paths, labels, train, test)

    predicted = predictions["combined"]
    print("\nThe combined model in detail:\n")
    print(classification_report(labels[test], predicted, zero_division=0))

    clips = [
        paths[test][labels[test] == name][0] for name in np.unique(labels[test])
    ]
    draw(models["CNN"], labels[test], predictions, clips)
    save_load_predict(
        models["combined"], paths[test][0], labels[test][0], workspace
    )


def load(source, workspace):
    """Return paths, labels and groups of related clips, which may be None."""
    if source is None:
        print(
            "Synthetic speech: 16 speakers say each of ten words three times. They"
        )
        print("differ in voice, accent, tempo and noise. Four are new in the test.")
        recordings = make_speech_dataset(Path(workspace, "speech"), n_speakers=16)
    else:
        recordings = recordings_of(Path(source))
    if recordings.target is None or np.ndim(recordings.target) != 1:
        sys.exit(f"{str(source)!r} has no column with one label per clip.")
    labels = np.asarray(recordings.target_names)[recordings.target]
    groups = recordings.get("groups")
    groups = recordings.get("folds") if groups is None else groups
    check(labels, groups)
    print(f"{len(labels)} recordings of {len(recordings.target_names)} classes")
    return np.array(recordings.filenames, dtype=object), labels, groups


def recordings_of(source):
    """List the recordings of a folder or table, or end with a message."""
    if not source.exists():
        sys.exit(f"There is no folder or table {str(source)!r}.")
    try:
        return (
            load_audio_folders(source)
            if source.is_dir()
            else load_audio_table(source)
        )
    except (OSError, ValueError) as error:
        sys.exit(str(error))


def check(labels, groups):
    """End with a message if there are too few classes, clips or groups."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        sys.exit(
            f"The only class is {str(classes[0])!r}, but at least two are needed."
        )
    rare, count = str(classes[counts.argmin()]), counts.min()
    if count < MIN_CLIPS:
        sys.exit(
            f"The class {rare!r} has {count} recordings, but each class needs at "
            f"least {MIN_CLIPS}."
        )
    for name in classes if groups is not None else []:
        if len(set(groups[labels == name])) < 2:
            sys.exit(
                f"All recordings of the class {str(name)!r} are in one group or "
                "fold, but at least two are needed: one to train and one to test."
            )


def split(labels, groups):
    """Return the numbers of the clips for training and testing, as whole groups.

    A quarter of them is for testing, or more if a class has fewer than four groups.
    """
    if groups is None:
        groups = np.arange(len(labels))  # clips are not related
    n_parts = min(4, *(len(set(groups[labels == name])) for name in set(labels)))
    parts = StratifiedGroupKFold(n_parts, shuffle=True, random_state=0)
    return next(parts.split(labels, labels, groups))


def compare(paths, labels, train, test):
    """Fit three models; return them and their predictions."""
    cnn = CNNAudioClassifier(random_state=0, verbose=1)
    models = {
        "hand-crafted": make_pipeline(
            PyAudioAnalysisTransformer(), StandardScaler(), SVC()
        ),
        "CNN": cnn,
        # The network votes with the hand-crafted features. It is not trained again.
        "combined": make_combined_classifier(FrozenEstimator(cnn)),
    }
    predictions = {}
    for name, model in models.items():
        try:
            predictions[name] = model.fit(paths[train], labels[train]).predict(
                paths[test]
            )
        except AudioReadError as error:
            sys.exit(str(error))
        cnn.set_params(verbose=0 if name == "CNN" else cnn.verbose)
        accuracy = accuracy_score(labels[test], predictions[name])
        print(f"{name:12} accuracy {accuracy:.2f}  ({ABOUT[name]})")
    return models, predictions


def draw(cnn, labels, predictions, clips):
    """Draw the accuracies, the confusion matrix and a clip of each class."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("For a picture, install matplotlib: pip install matplotlib")
        return
    figure = Figure(figsize=(13, 9.5), layout="constrained")
    n_classes = len(np.unique(labels))
    title = f"{len(labels)} test clips of {n_classes} classes, not used in training"
    figure.suptitle(title, fontsize=15)
    left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1], wspace=0.03)
    bars, matrix = left.subplots(2, 1, height_ratios=[1, 4.2])
    draw_accuracies(bars, labels, predictions)
    draw_confusions(matrix, labels, predictions["combined"])
    draw_clips(right, cnn, clips, np.unique(labels))
    try:
        figure.savefig(PICTURE, dpi=110)
    except OSError as error:
        print(f"The picture is not saved: {error}")
    else:
        print(f"{PICTURE} shows accuracies, confusions and a clip of each class.")


def draw_accuracies(ax, labels, predictions):
    accuracies = [
        accuracy_score(labels, predicted) for predicted in predictions.values()
    ]
    bars = ax.barh([*predictions], accuracies, color=["0.7", "C0", "C2"])
    ax.bar_label(bars, fmt="%.2f", padding=4)
    ax.set(xlim=(0, 1.1), title="Accuracy of three models")
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)


def draw_confusions(ax, labels, predicted):
    few = len({*labels, *predicted}) <= 20
    display = ConfusionMatrixDisplay.from_predictions(
        labels, predicted, ax=ax, cmap="Blues", colorbar=False, include_values=few
    )
    for text in display.text_.ravel() if few else []:
        text.set_visible(text.get_text() != "0")
    ax.tick_params(axis="x", rotation=45 if few else 90)
    ax.set(
        title="Combined model: predictions by class",
        ylabel="true class",
        xlabel="predicted class (errors are off the diagonal)",
    )


def draw_clips(figure, cnn, clips, classes):
    clips = clips[:N_SHOWN]
    axes = figure.subplots(-(-len(clips) // 2), 2, squeeze=False).ravel()
    SpectrogramDisplay.from_estimator(
        cnn, clips, n_clips=len(clips), ax=axes[: len(clips)], colorbar=False
    )
    for ax, name in zip(axes, classes, strict=False):
        ax.set_title(name, fontsize=10)
        ax.label_outer()
    for ax in axes[len(clips) :]:
        ax.set_visible(False)
    figure.suptitle("A clip of each class (bright: loud)")


def save_load_predict(model, path, label, workspace):
    model_path = Path(workspace, "model.joblib")
    joblib.dump(model, model_path)
    loaded = joblib.load(model_path)
    size = model_path.stat().st_size / 1e3
    print(f"The saved model takes {size:.0f} kB. Loaded again, it predicts for")
    print(f"  {path}")
    print(f"the class {loaded.predict([path])[0]}. The true class is {label}.")


if __name__ == "__main__":
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else None, folder)
