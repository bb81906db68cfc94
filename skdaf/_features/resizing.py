"""The common length of spectrograms: choose it, and resize, repeat, pad or cut them along time."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from skdaf._audio.clips import Clip
from skdaf._core.user_warnings import warn_user

# How clips get the common length: the values of the parameter `length`, without "auto".
METHODS = ("resize", "tile", "pad")

# If the 90th percentile of the lengths exceeds the 10th by more than this factor, resizing would
# change the speed of most clips too much.
_MAX_SPREAD = 4.0

# Up to this many weights, a dense product is faster than a sparse one.
_MAX_DENSE_WEIGHTS = 2**12

# Spectrograms have at most this many frames, or a quarter of those computed, unless they are
# padded: the time to train is proportional, and more frames were not more accurate in experiments.
_ENOUGH_FRAMES = 250
_MAX_AVERAGED_FRAMES = 4

# Clips that are longer than most by more than this factor lose most of what they contain.
_MAX_SQUEEZE = 10
# If most clips are at least this long, in seconds, one of a single frame is a mistake.
_USUAL = 0.1

_CONSEQUENCES = {
    "resize": "Squeezed to the same number of frames, little is left to recognize",
    "tile": "All but a short piece in their middle is ignored",
}


@dataclass(frozen=True)
class CommonLength:
    """How spectrograms get the same number of frames.

    Attributes
    ----------
    method : {"resize", "tile", "pad"}
    n_frames : int
    squeeze : float, default=1.0
        With "tile", the factor by which all clips are squeezed first.
    """

    method: str
    n_frames: int
    squeeze: float = 1.0

    @classmethod
    def choose(cls, length, n_frames, lengths):
        """Choose what is not given (`length` "auto", `n_frames` None) from lengths in frames."""
        method = _choose_method(lengths) if length == "auto" else length
        quantile = 0.95 if method == "pad" else 0.5
        usual = int(np.quantile(lengths, quantile, method="higher"))
        if n_frames is None:
            n_frames = usual if method == "pad" else squeezed_length(usual)
        # Clips of the usual length fit exactly, as with "resize".
        return cls(method, n_frames, max(1.0, usual / n_frames) if method == "tile" else 1.0)

    def apply(self, spectrogram: Any, padding: Any = None) -> Any:
        """Return a spectrogram with `n_frames` frames; "pad" appends copies of `padding`."""
        if self.method == "resize":
            return resize(spectrogram, self.n_frames)
        if self.method == "pad":
            return pad_or_cut(spectrogram, self.n_frames, padding)
        squeezed = resize(spectrogram, self._squeezed(len(spectrogram)))
        return tile_or_cut(squeezed, self.n_frames)

    def first_and_step(self, n_own):
        """Return `first` and `step`: frame k of the result begins at `(first + k) * step`.

        Positions are frames of the clip, which has `n_own` of them.
        """
        if self.method == "resize":
            return 0, n_own / self.n_frames
        if self.method == "pad":
            return 0, 1.0
        squeezed = self._squeezed(n_own)
        return max(0, squeezed - self.n_frames) // 2, n_own / squeezed

    def _squeezed(self, n_own):
        return max(1, round(n_own / self.squeeze))


def _choose_method(lengths):
    shortest, longest = np.quantile(lengths, [0.1, 0.9])
    return "tile" if longest > _MAX_SPREAD * shortest else "resize"


def squeezed_length(n_frames):
    """Return the number of frames to squeeze clips to that have this many frames."""
    return min(n_frames, max(_ENOUGH_FRAMES, n_frames // _MAX_AVERAGED_FRAMES))


def warn_about_unusual_clips(clips, seconds, method):
    """Warn about clips of a single frame, and about those of which little is left.

    Parameters
    ----------
    clips : sequence of Clip or of waveforms
    seconds : list of float
        The time from the first frame of each clip to the last.
    method : str
        How clips get the common length.
    """
    usual = float(np.median(seconds))
    # Segments that were cut into windows may have a short rest, as in `clips_from_segments`.
    single = [row for row, n in enumerate(seconds) if n == 0 and _is_whole(clips[row])]
    if single and usual >= _USUAL:
        warn_user(
            f"{_counted(single, clips)} so short that the spectrogram has a single frame (most "
            f"have {usual:.3g} s), for example {_name(clips, single[0])}. Leave such clips out: "
            "there is nothing to learn from them."
        )
    long = [row for row, length in enumerate(seconds) if length > _MAX_SQUEEZE * usual > 0]
    if long and method != "pad":
        row = long[0]
        warn_user(
            f"{_counted(long, clips)} more than {_MAX_SQUEEZE} times longer than "
            f"most ({usual:.3g} s), for example {_name(clips, row)} with {seconds[row]:.3g} s. "
            f"{_CONSEQUENCES[method]}. Cut them into shorter clips (a table with start and end)."
        )


def _is_whole(clip):
    return not isinstance(clip, Clip) or clip.end is None


def _counted(rows, clips):
    return f"{len(rows)} of {len(clips)} clips {'is' if len(rows) == 1 else 'are'}"


def _name(clips, row):
    return str(clips[row].path) if isinstance(clips[row], Clip) else f"clip {row}"


def _bicubic(x):
    """Return Keys's cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=1024)
def resize_matrix(n_in, n_out):
    """Return the sparse `(n_out, n_in)` matrix of a bicubic resize with antialiasing.

    Output k is centered on input position `(k + 1/2) * n_in / n_out`. If there are fewer outputs
    than inputs, the kernel is stretched by the same ratio, so that it averages. The weights sum to
    one, even at the borders.
    """
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    centers = (np.arange(n_out) + 0.5) * scale
    first = np.maximum((centers - 2.0 * stretch + 0.5).astype(int), 0)
    last = np.minimum((centers + 2.0 * stretch + 0.5).astype(int), n_in)
    columns = first[:, None] + np.arange((last - first).max())
    weights = _bicubic((columns - centers[:, None] + 0.5) / stretch)
    weights[columns >= last[:, None]] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(n_out)[:, None], columns.shape)
    used = weights != 0.0
    return sparse.csr_matrix(
        (weights[used].astype(np.float32), (rows[used], columns[used])), shape=(n_out, n_in)
    )


@lru_cache(maxsize=1024)
def _dense_resize_matrix(n_in, n_out):
    return resize_matrix(n_in, n_out).toarray()


def resize(spectrogram, n_frames):
    """Stretch or squeeze a spectrogram along time, as Pillow's bicubic resize does."""
    n_in = len(spectrogram)
    if n_in == n_frames:
        return spectrogram
    # A dense product with a vector may depend on the address of the vector in memory. A sparse
    # product does not: it sums frame by frame.
    is_vector = n_frames == 1 or spectrogram.shape[1] == 1
    if n_in * n_frames <= _MAX_DENSE_WEIGHTS and not is_vector:
        return _dense_resize_matrix(n_in, n_frames) @ spectrogram
    return resize_matrix(n_in, n_frames) @ spectrogram


def pad_or_cut(spectrogram, n_frames, padding):
    """Append copies of the frame `padding`, or drop the last frames."""
    n_kept = len(spectrogram)
    if n_kept >= n_frames:
        return spectrogram[:n_frames]
    padded = np.empty((n_frames, spectrogram.shape[1]), dtype=np.float32)
    padded[:n_kept] = spectrogram
    padded[n_kept:] = padding
    return padded


def tile_or_cut(spectrogram, n_frames):
    """Repeat a spectrogram until it is long enough, or cut its middle out."""
    n_own = len(spectrogram)
    if n_own >= n_frames:
        first = (n_own - n_frames) // 2
        return spectrogram[first : first + n_frames]
    return np.take(spectrogram, np.arange(n_frames), axis=0, mode="wrap")
