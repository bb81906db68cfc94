"""Deep audio features for scikit-learn."""

import lazy_loader

from skdaf._version import __version__ as __version__

# Names are imported when they are first used, so that `import skdaf` costs no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["datasets"],
    submod_attrs={
        "_audio": ["load_audio"],
        "_autoencoder": ["ConvAutoencoderEmbedder"],
        "_check": ["check_audio"],
        "_classifier": ["CNNAudioClassifier"],
        "_clip": ["AudioReadError", "Clip"],
        "_combine": ["BlockScaler", "CappedPCA", "make_combined_classifier"],
        "_display": [
            "DurationDisplay",
            "EmbeddingDisplay",
            "SaliencyDisplay",
            "SegmentsDisplay",
            "SpectrogramDisplay",
            "TrainingDisplay",
        ],
        "_extractor": ["CNNFeatureExtractor"],
        "_frontend": ["SpectrogramTransformer"],
        "_handcrafted": ["PyAudioAnalysisTransformer"],
        "_legacy": ["load_deep_audio_features"],
        "_networks": ["NETWORKS"],
        "_persistence": ["load_model", "save_model"],
        "_trusted_types": ["TRUSTED_TYPES"],
        "_old_frontend": ["LegacySpectrogramTransformer"],
        "_segment_report": ["SegmentReport", "segment_report"],
        "_segmentation": [
            "clips_from_segments",
            "merge_segments",
            "predict_segments",
            "read_segments",
            "write_segments",
        ],
    },
)
