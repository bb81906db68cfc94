"""The pipeline that a configuration file describes."""

from skdaf._estimators.combine import make_combined_classifier
from skdaf._features.pyaudioanalysis_transformer import PyAudioAnalysisTransformer
from skdaf._legacy.combiner.models import make_extractors


def make_pipeline(config, model_paths, *, layers_dropped=None):
    """Return the unfitted pipeline that a configuration describes.

    Parameters
    ----------
    config : CombinerConfig
    model_paths : list of str
        The files of `find_model_files`.
    layers_dropped : int, default=None
        Layers of each network to leave out. If None, all after the last convolutional one.
    """
    extractors = make_extractors(
        model_paths, segment_step=config.segment_step, layers_dropped=layers_dropped
    )
    basic = config.basic_features
    pipeline = make_combined_classifier(
        extractors,
        handcrafted=False if basic is None else PyAudioAnalysisTransformer(**basic),
        method="svc",
        n_components=config.n_components,
    )
    return pipeline.set_params(svc__kernel=config.kernel)
