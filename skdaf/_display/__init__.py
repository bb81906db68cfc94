"""Pictures, in scikit-learn's manner: one file a display, and what they share.

matplotlib is imported when something is drawn, and nowhere else in the package.
"""

from skdaf._display._durations import DurationDisplay
from skdaf._display._embedding import EmbeddingDisplay
from skdaf._display._saliency import SaliencyDisplay
from skdaf._display._segments import SegmentsDisplay
from skdaf._display._spectrogram import SpectrogramDisplay
from skdaf._display._training import TrainingDisplay

__all__ = [
    "DurationDisplay",
    "EmbeddingDisplay",
    "SaliencyDisplay",
    "SegmentsDisplay",
    "SpectrogramDisplay",
    "TrainingDisplay",
]
