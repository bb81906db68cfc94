"""Draw the figure of the page "Which model should I use?" from `learning_curves.csv`.

`benchmarks/learning_curves.py` has written the results.
"""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

RESULTS = Path(__file__).with_name("learning_curves.csv")
PICTURE = Path(__file__).parent / "_static" / "learning_curves.svg"

# Title, column of the score, and the pretrained network that suits the sounds.
PANELS = {
    "fsdd-speakers": ("spoken digits, new speakers", "accuracy", "silero-vad"),
    "emodb4": ("emotions, new speakers", "accuracy", "resemblyzer"),
    "esc10": ("environmental sounds", "accuracy", "birdnet"),
    "heart": ("heart sounds", "uar", "silero-vad"),
}

# Colors between light and dark: the page has both backgrounds.
NEUTRAL = "#808080"
STYLES = {
    "combined": ("#e07b00", "s"),
    "CNN": ("#2f8fd0", "o"),
    "CNN + pretrained": ("#c0399f", "D"),
    "pretrained": ("#3aa655", "^"),
    "hand-crafted + SVC": ("#c9514a", "v"),
    "MFCC + SVC": ("#9a8060", "x"),
}
SETTINGS = {
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "skdaf",
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), NEUTRAL
    ),
}


def curves(results, name):
    """Return the means and standard deviations of a set: a row per method, a column per size."""
    _, score, pretrained = PANELS[name]
    rows = results[results["set"] == name]
    shown = {pretrained: "pretrained", f"CNN + {pretrained}": "CNN + pretrained"}
    rows = rows.assign(method=rows["method"].replace(shown))
    groups = rows.groupby(["method", "clips_per_class"])[score]
    return groups.mean().unstack(), groups.std().unstack()


def draw_panel(ax, results, name):
    """Draw the curves of a set, with bars of one standard deviation over the draws."""
    title, score, pretrained = PANELS[name]
    means, deviations = curves(results, name)
    for method, (color, marker) in STYLES.items():
        ax.errorbar(
            means.columns,
            means.loc[method],
            deviations.loc[method],
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1.4,
            elinewidth=0.6,
            label=method,
        )
    ax.set_xscale("log")
    ax.set_xticks(means.columns, [str(size) for size in means.columns])
    ax.minorticks_off()
    ax.grid(axis="y", alpha=0.3)
    ax.set_title(f"{title}\n(pretrained: {pretrained})", fontsize=9)
    ax.set_ylabel("mean recall" if score == "uar" else "accuracy")


def draw():
    """Write the figure."""
    results = pd.read_csv(RESULTS)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.6, 6.4), layout="constrained")
        axes = figure.subplots(2, 2)
        for ax, name in zip(axes.flat, PANELS, strict=True):
            draw_panel(ax, results, name)
        for ax in axes[-1]:
            ax.set_xlabel("training clips per class")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(PICTURE, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    draw()
