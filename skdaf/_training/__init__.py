"""Training in torch: works with tensors and networks, without sound files or scikit-learn.

- `run`: the description of a training run: network, examples, objective, plan.
- `objectives`: losses and scores; `custom_loss`: the loss of a user.
- `train`: a whole training run, with interruptions and checkpoints.
- `loop`: epochs, steps and the learning rate.
- `optimizers`: AdamW; `custom_optimizer`: the optimizer of a user.
- `placement`: examples on a GPU, if they fit.
- `replicas`: copies of a network that share the work on a batch, in several threads.
- `state`: the history and the best weights of a training run.
- `augmentation`: random changes to spectrograms.
- `checkpoint`: the state of a training run in a file.
- `fingerprint`: short strings that identify parameters and data.

To add a loss, write a function in `objectives`; to add an augmentation, a function in
`augmentation` and an entry in `AUGMENTATIONS`.
"""
