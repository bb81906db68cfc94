"""What the validation score of a fit says about new speakers, with and without `groups`.

    python -m benchmarks.held_out [--seeds 2]

Fits on ten takes of each digit by four speakers of FSDD, of which a quarter is held out for early
stopping: clips at random, or a whole speaker. The score of the best epoch on these is compared
with the accuracy on two speakers that are in no fit.
"""

import argparse
import tempfile

import numpy as np

from benchmarks import _fsdd
from skdaf import CNNAudioClassifier, SpectrogramTransformer

NEW_SPEAKERS = ("theo", "yweweler")


def measure(train, test, cache, seed, **groups):
    """Return the score on held-out clips and the accuracy on new speakers."""
    classifier = CNNAudioClassifier(
        SpectrogramTransformer(cache=cache),
        early_stopping=True,
        validation_fraction=0.25,
        random_state=seed,
    )
    classifier.fit(*train, **groups)
    return classifier.history_["valid_score"][classifier.best_epoch_ - 1], classifier.score(*test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    n_seeds = parser.parse_args().seeds
    paths, digits, speakers, takes = map(np.asarray, _fsdd.load())
    is_new = np.isin(speakers, NEW_SPEAKERS)
    known = ~is_new & (takes < 10)
    train, test = (paths[known], digits[known]), (paths[is_new], digits[is_new])
    print("| held out | seed | score on held-out clips | accuracy on new speakers |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        for name, groups in (("clips at random", {}), ("a speaker", {"groups": speakers[known]})):
            for seed in range(n_seeds):
                inner, outer = measure(train, test, cache, seed, **groups)
                print(f"| {name} | {seed} | {inner:.3f} | {outer:.3f} |", flush=True)


if __name__ == "__main__":
    main()
