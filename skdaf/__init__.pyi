# Names are listed here once: editors and type checkers read this file, and `skdaf/__init__.py`
# imports each name from the module given here when it is first used.

from . import datasets as datasets
from ._audio.check import check_audio as check_audio
from ._audio.clips import AudioReadError as AudioReadError
from ._audio.clips import Clip as Clip
from ._audio.reading import load_audio as load_audio
from ._core.download.fetch import fetch_model as fetch_model
from ._display.durations import DurationDisplay as DurationDisplay
from ._display.embedding import EmbeddingDisplay as EmbeddingDisplay
from ._display.saliency import SaliencyDisplay as SaliencyDisplay
from ._display.segments import SegmentsDisplay as SegmentsDisplay
from ._display.spectrogram import SpectrogramDisplay as SpectrogramDisplay
from ._display.training import TrainingDisplay as TrainingDisplay
from ._display.values import ValuesDisplay as ValuesDisplay
from ._estimators.autoencoder import ConvAutoencoderEmbedder as ConvAutoencoderEmbedder
from ._estimators.classifier import CNNAudioClassifier as CNNAudioClassifier
from ._estimators.combine import make_combined_classifier as make_combined_classifier
from ._estimators.export.models import export_onnx as export_onnx
from ._estimators.extractor import CNNFeatureExtractor as CNNFeatureExtractor
from ._estimators.feature_blocks import BlockScaler as BlockScaler
from ._estimators.feature_blocks import CappedPCA as CappedPCA
from ._estimators.persistence.models import load_model as load_model
from ._estimators.persistence.models import save_model as save_model
from ._estimators.persistence.trusted_types import TRUSTED_TYPES as TRUSTED_TYPES
from ._estimators.pretrained.transformer import (
    PretrainedFeatureExtractor as PretrainedFeatureExtractor,
)
from ._estimators.regressor import CNNAudioRegressor as CNNAudioRegressor
from ._estimators.search_space import search_space as search_space
from ._features.pyaudioanalysis_transformer import (
    PyAudioAnalysisTransformer as PyAudioAnalysisTransformer,
)
from ._features.spectrogram_transformer import SpectrogramTransformer as SpectrogramTransformer
from ._legacy.load import load_deep_audio_features as load_deep_audio_features
from ._legacy.spectrogram_transformer import (
    LegacySpectrogramTransformer as LegacySpectrogramTransformer,
)
from ._networks.building import NETWORKS as NETWORKS
from ._segments.clips import clips_from_segments as clips_from_segments
from ._segments.merge import merge_segments as merge_segments
from ._segments.merge_stream import merge_stream as merge_stream
from ._segments.predict import predict_segments as predict_segments
from ._segments.reading import read_segments as read_segments
from ._segments.recordings import clips_from_recordings as clips_from_recordings
from ._segments.report import segment_report as segment_report
from ._segments.scores import SegmentReport as SegmentReport
from ._segments.streaming import predict_stream as predict_stream
from ._segments.transform import transform_segments as transform_segments
from ._segments.tuning import tune_thresholds as tune_thresholds
from ._segments.window_lengths import clip_length as clip_length
from ._segments.writing import write_segments as write_segments

__version__: str
