"""The names of pretrained models, without anything that loads them."""

#: Each name, and the module and the function that load it.
NAMED = {
    "birdnet": ("birdnet", "load_birdnet"),
    "resemblyzer": ("resemblyzer", "load_resemblyzer"),
    "silero-vad": ("silero", "load_silero"),
}
