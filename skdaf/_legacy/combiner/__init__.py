"""The combined classifier of deep_audio_features, from its configuration file.

- `yaml_file`: read a YAML file with nothing but plain values.
- `config`: what a configuration file may contain.
- `models`: find, fetch and load the models that it names.
- `pipeline`: the pipeline that it describes, with `make_combined_classifier`.
- `search`: the search for the best SVC.
"""
