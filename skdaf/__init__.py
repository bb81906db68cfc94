"""Deep audio features for scikit-learn."""

import lazy_loader

from skdaf._version import __version__ as __version__

# Names are imported when they are first used, so that `import skdaf` costs no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["datasets"],
    submod_attrs={
        "_audio.reading": ["load_audio"],
        "_estimators.autoencoder": ["ConvAutoencoderEmbedder"],
        "_audio.check": ["check_audio"],
        "_estimators.classifier": ["CNNAudioClassifier"],
        "_audio.clips": ["AudioReadError", "Clip"],
        "_estimators.combine": ["BlockScaler", "CappedPCA", "make_combined_classifier"],
        "_display.durations": ["DurationDisplay"],
        "_display.embedding": ["EmbeddingDisplay"],
        "_display.saliency": ["SaliencyDisplay"],
        "_display.segments": ["SegmentsDisplay"],
        "_display.spectrogram": ["SpectrogramDisplay"],
        "_display.training": ["TrainingDisplay"],
        "_estimators.extractor": ["CNNFeatureExtractor"],
        "_features.spectrogram_transformer": ["SpectrogramTransformer"],
        "_features.pyaudioanalysis_transformer": ["PyAudioAnalysisTransformer"],
        "_legacy.load": ["load_deep_audio_features"],
        "_networks.building": ["NETWORKS"],
        "_estimators.persistence.models": ["load_model", "save_model"],
        "_estimators.persistence.trusted_types": ["TRUSTED_TYPES"],
        "_legacy.spectrogram_transformer": ["LegacySpectrogramTransformer"],
        "_segments.report": ["SegmentReport", "segment_report"],
        "_segments.predict": [
            "clips_from_segments",
            "merge_segments",
            "predict_segments",
            "read_segments",
            "write_segments",
        ],
    },
)
