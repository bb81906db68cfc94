"""Deep audio features for scikit-learn."""

import lazy_loader

__version__ = "0.1.0"

# Names are imported when they are first used, so that `import skdaf` costs no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["datasets"],
    submod_attrs={
        "_audio": ["AudioReadError", "Clip", "load_audio"],
        "_autoencoder": ["ConvAutoencoderEmbedder"],
        "_check": ["check_audio"],
        "_classifier": ["CNNAudioClassifier"],
        "_combine": ["BlockScaler", "CappedPCA", "make_combined_classifier"],
        "_extractor": ["CNNFeatureExtractor"],
        "_frontend": ["SpectrogramTransformer"],
        "_handcrafted": ["PyAudioAnalysisTransformer"],
        "_networks": ["NETWORKS"],
        "_persistence": ["load_model", "save_model"],
    },
)
