"""Try skdaf's estimators with clients from scikit-learn and other libraries, and forms of X.

    python -m benchmarks.other_libraries [--all-forms] [--clients NAME ...] [--epochs 10]

Uses five spoken digits (FSDD), 36 clips each, or synthetic sounds if there are no recordings. Each
client gets a small network and X in one form after another, until one works: a list of paths, an
array of paths, a table (a DataFrame with a column "path"), row numbers (an array of shape
(n_clips, 1), with a FunctionTransformer in front of the network that looks the paths up), waveforms
of one length, and a table of polars. With --all-forms, each client gets all of them. The score is
on test clips: accuracy, R2 for regressors, the share of intervals or sets that contain the answer
for MAPIE, or what the client measures.
"""

import argparse
import importlib.metadata
import logging
import tempfile
import time
import warnings

import numpy as np

from benchmarks import _forms, _fsdd
from benchmarks._clients import CLIENTS
from skdaf.datasets import make_audio_dataset

DIGITS = ["0", "1", "2", "3", "4"]
KINDS = ["low_tone", "high_tone", "white_noise", "pink_noise", "rising_chirp"]
N_CLIPS_PER_CLASS = 36


def load(folder):
    """Return the name of the set, paths, labels, and which clips are for testing."""
    if (_fsdd.DATA / "fsdd").is_dir():
        name, (files, labels, _, takes) = "spoken digits", _fsdd.load()
        chosen = np.isin(labels, DIGITS) & (takes < N_CLIPS_PER_CLASS // 6)
        files, labels = files[chosen], labels[chosen]
    else:
        sounds = make_audio_dataset(folder, classes=KINDS, n_clips_per_class=N_CLIPS_PER_CLASS)
        name, files = "synthetic sounds", np.array(sounds.filenames)
        labels = np.array(sounds.target_names)[sounds.target]
    order = np.random.default_rng(0).permutation(len(files))
    return name, files[order], labels[order], np.arange(len(files)) % 3 == 0


def version_of(package):
    """Return the installed version of a package; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def attempt(client, clips):
    """Run a client; return whether it works, its score or the error, and the seconds."""
    start = time.perf_counter()
    try:
        works, result = True, f"{client.run(clips):.3f}"
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        works, result = False, f"{type(error).__name__}: {first_line:.150}"
    return works, result.replace("|", "/"), time.perf_counter() - start


def compare(client, sounds, all_forms, epochs):
    """Print a row for each form of X, until one works or for all of them."""
    version = version_of(client.package)
    name = f"| {client.name} | {client.package}"
    if version is None:
        print(f"{name} | - | - | - | not installed | - |", flush=True)
        return
    for form in client.forms:
        if form == "polars table" and version_of("polars") is None:
            continue
        clips = _forms.in_form(form, *sounds, max_epochs=epochs)
        works, result, seconds = attempt(client, clips)
        answer = "yes" if works else "no"
        print(f"{name} | {version} | {form} | {answer} | {result} | {seconds:.1f} |", flush=True)
        if works and not all_forms:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all-forms", action="store_true")
    parser.add_argument("--clients", nargs="+", help="parts of names of clients or packages")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        kind, *sounds = load(folder)
        print(f"{kind}, {arguments.epochs} epochs:\n")
        print("| client | package | version | form of X | works? | score or error | seconds |")
        print("|---" * 7 + "|")
        for client in CLIENTS:
            words = f"{client.name} {client.package}"
            if arguments.clients is None or any(part in words for part in arguments.clients):
                compare(client, sounds, arguments.all_forms, arguments.epochs)


if __name__ == "__main__":
    main()
