"""Raise thresholds until all classes together make few enough false alarms."""

import math
from dataclasses import dataclass

import numpy as np

from skdaf._segments.tables import SAME_TIME

# At this probability, a class is the most probable one, or is present without a threshold if there
# are several labels per clip. Below it, a threshold could add detections.
LOWEST_THRESHOLD = 0.5

# The share of all false alarms that a step removes, so that long recordings need few steps.
_SHARE_OF_STEP = 0.02


@dataclass(frozen=True)
class Step:
    """Thresholds, and the counts of each class under them."""

    thresholds: dict
    counts: dict

    @property
    def n_found(self):
        """Return the number of true events of all classes that are found."""
        return sum(one.n_found for one in self.counts.values())

    @property
    def n_false(self):
        """Return the number of false alarms of all classes."""
        return sum(one.n_false for one in self.counts.values())


def tightened(recordings, max_per_hour):
    """Return the `Step` with the most events within a limit, and whether the limit is met.

    The steps do not depend on the limit, so a larger one never finds fewer events. Of equally many
    events, the first step is taken: no threshold is raised without need.

    Parameters
    ----------
    recordings : Recordings
    max_per_hour : float
        The largest number of false alarms of all classes together.
    """
    steps = list(_steps(recordings))
    largest = n_allowed(recordings.hours, max_per_hour)
    allowed = [step for step in steps if step.n_false <= largest]
    if allowed:
        return max(allowed, key=lambda step: step.n_found), True
    return min(steps, key=lambda step: step.n_false), False


def n_allowed(hours, max_per_hour):
    """Return how many false alarms a limit allows in some hours."""
    return math.floor(max_per_hour * hours + SAME_TIME)


def _steps(recordings):
    """Yield thresholds that become higher and higher, until there are no false alarms.

    Each step raises the threshold of the class in which that costs the fewest true events for each
    false alarm that it removes. The counts after it are exact: events that fall apart are new ones.
    """
    thresholds = {}
    while True:
        step = Step(thresholds, recordings.count(thresholds))
        yield step
        smallest = max(1, math.ceil(_SHARE_OF_STEP * step.n_false))
        choices = {label: _candidates(one) for label, one in step.counts.items()}
        choices = {label: one for label, one in choices.items() if one is not None}
        if not choices:
            return
        label = max(sorted(choices), key=lambda x: _merit(*choices[x]))
        levels, n_removed, _ = choices[label]
        place = min(np.searchsorted(n_removed, smallest), len(levels) - 1)
        thresholds = {**thresholds, label: float(levels[place])}


def _candidates(counts):
    """Return the higher thresholds of a class, and how many events of both kinds each removes.

    A false alarm disappears above its peak, and a true event above that of all that overlap it.
    Returns None if no threshold removes a false alarm.
    """
    peaks = np.unique(counts.false_peaks)
    peaks = peaks[peaks < 1]
    if len(peaks) == 0:
        return None
    places = np.searchsorted(counts.kept, peaks, side="right")
    # Halfway to 1 if no window has a higher probability.
    levels = np.where(
        places < len(counts.kept),
        counts.kept[np.minimum(places, len(counts.kept) - 1)],
        (peaks.astype(float) + 1) / 2,
    )
    levels = np.unique(np.maximum(levels, LOWEST_THRESHOLD))
    n_removed, n_lost = (
        np.searchsorted(np.sort(values), levels)
        for values in (counts.false_peaks, counts.found_peaks)
    )
    return levels, n_removed, n_lost


def _merit(levels, n_removed, n_lost):
    """Return how good it is to raise the threshold of a class, for comparisons."""
    with np.errstate(divide="ignore"):
        ratios = n_removed / n_lost
    best = max(zip(ratios.tolist(), n_removed.tolist(), strict=True))
    return *best, int(n_removed[-1])
