"""The check of the option --smooth of segments."""

import warnings


def warn_about_smooth(windows, smooth):
    """Warn if --smooth is not an odd multiple of the step: windows count that are cut off."""
    starts = windows.start.drop_duplicates()
    if not smooth or len(starts) < 2:
        return
    step = float(starts.diff().median())
    n_steps = round(smooth / step, 6)
    lower = max(1, int((n_steps - 1) // 2) * 2 + 1)
    if n_steps <= 1 or n_steps == lower:
        return
    texts = [f"{round(n * step, 6):g}" for n in (lower, lower + 2)]
    effect = f"it is rounded down to {texts[0]} s"
    if "label" in windows:
        effect = "the windows at both ends of the span count only in part"
    warnings.warn(
        f"--smooth {smooth:g} is not an odd multiple of the step ({step:g} s): {effect}. Use "
        f"{texts[0]} or {texts[1]}.",
        stacklevel=2,
    )
