"""Training in torch: tensors and networks, neither paths nor scikit-learn.

- `run`: what describes a training: network, examples, objective, plan.
- `objectives`: losses and scores.
- `train`: a whole training, with interruptions and checkpoints.
- `loop`: epochs and steps; AdamW and the learning rate.
- `replicas`: copies of a network that share the work on a batch, in several threads.
- `state`: the history of a training, and its best weights.
- `augmentation`: random changes to spectrograms.
- `checkpoint`: the state of a training in a file.
- `fingerprint`: short texts that identify parameters and data.

To add a loss, write a function in `objectives`; to add an augmentation, a function in
`augmentation` and an entry in `AUGMENTATIONS`.
"""
