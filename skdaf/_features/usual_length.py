"""The usual length of the clips that a front end was fitted on."""

from skdaf._features.spectrogram_transformer import SpectrogramTransformer


def usual_seconds(frontend):
    """Return the shortest and the longest duration that most clips may have had, or None.

    Parameters
    ----------
    frontend : transformer or None
        A fitted one. Only a `SpectrogramTransformer` knows about lengths, and only if it chose the
        number of frames itself, or tiles clips.
    """
    if not isinstance(frontend, SpectrogramTransformer):
        return None
    frames = frontend._common_length().usual_frames(frontend.n_frames is None)
    return None if frames is None else tuple(n * frontend.hop_length for n in frames)
