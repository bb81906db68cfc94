"""The `skdaf` command, a thin layer over the public API.

Heavy imports happen only when a command runs, so help and shell completion are fast.

- `_training`: train, transfer, combine.
- `_fitting`: fit, save and report; `_annotations`: the option --annotations.
- `_held_out`, `_cross_validation`, `_folds`: the options --test-fraction, --cv and --fold-column;
  `_tested`: --predictions and --scores.
- `_calibration`: the option --calibrate of train.
- `_groups`: the option --group-column.
- `_copies`: the warning about copies of training clips.
- `_combining`: what combine trains, and its option --config.
- `_handcrafted`: the option --handcrafted of train.
- `_predicting`: predict, embed; `_reporting`: report.
- `_inputs`: what a model gets, such as a table with numbers beside the recordings.
- `_skipping`: the option --skip-unreadable of predict and embed.
- `_segmenting`: segments; `_results`, `_agreement`, `_figures`: what it writes, scores and draws.
- `_annotated_time`: annotations that are within their recording.
- `_streaming`, `_raw_audio`: segments of raw samples on standard input.
- `_similar`: similar index, similar query.
- `_checking`: check; `_counts`: clips per class; `_checked`: tables from check; `_other_columns`:
  what else is in them.
- `_files`: info, convert, export; `_outline`: info of files that need not be loaded;
  `_settings`: how a network was trained.
- `_program`: errors, warnings, messages and exit statuses; `_numbers`: errors about numbers.
- `_options`, `_paths`, `_thresholds`: arguments and options that several commands share.
- `_pretrained`: pretrained networks.
- `_completion`: completion of the parameters of --set in the shell.
- `_recordings`: the labeled recordings of a command: class folders, or --table; `_spelling`: errors
  about tables.
- `_models`: load and save model files.
- `_tables`, `_csv`, `_scores`, `_reports`, `_report_tables`, `_text`: find recordings, write tables
  and reports; `_decimal_comma`: the option --decimal-comma.
"""

import click

from skdaf import __version__
from skdaf.cli._checking import check
from skdaf.cli._files import convert, export, info
from skdaf.cli._predicting import embed, predict
from skdaf.cli._program import Program
from skdaf.cli._reporting import report
from skdaf.cli._segmenting import segments
from skdaf.cli._similar import similar
from skdaf.cli._training import combine, train, transfer

__all__ = ["main"]


@click.group(
    cls=Program,
    name="skdaf",
    # "\b" keeps click from joining the lines.
    epilog="\b\nShell completion for bash (for other shells: zsh_source, fish_source):\n"
    '  eval "$(_SKDAF_COMPLETE=bash_source skdaf)"',
)
@click.version_option(__version__, prog_name="skdaf")
def main():
    """Train neural networks on audio files and use the trained models.

    Results go to standard output, everything else to standard error. The exit status is 0 on
    success, 2 after an error and 130 after Ctrl-C; "check" exits with 1 if files are bad.
    """


for command in (
    *(train, transfer, combine),
    *(predict, segments, embed, similar, report),
    *(info, check, convert, export),
):
    main.add_command(command)
