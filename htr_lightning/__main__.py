"""``python -m htr_lightning``: train a model, or run one of the commands below."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import htr_lightning

COMMANDS = {
    "predict": ("htr_lightning.cli.predict", "recognize images of lines or pages"),
    "correct": ("htr_lightning.cli.correct", "read and correct pages in the browser, and learn from it"),
    "segment": ("htr_lightning.cli.segment", "find the lines of pages, without recognizing them"),
    "align": ("htr_lightning.cli.align", "cut transcriptions of pages into the lines of the pages"),
    "evaluate": ("htr_lightning.cli.evaluate", "evaluate a model on lines with known transcriptions"),
    "compare": ("htr_lightning.cli.compare", "compare two models that were evaluated on the same lines"),
    "explain": ("htr_lightning.cli.explain", "show which pixels the predicted characters depend on"),
    "train-lm": ("htr_lightning.cli.train_lm", "train a character n-gram language model"),
    "tune-lm": ("htr_lightning.cli.tune_lm", "find the best weight of a language model"),
    "calibrate": ("htr_lightning.cli.calibrate", "calibrate the confidences of a model"),
    "export": ("htr_lightning.cli.export", "write a model as one safetensors or ONNX file"),
    "zoo": ("htr_lightning.cli.zoo", "list the models that ship with the package"),
    "doctor": ("htr_lightning.cli.doctor", "check a dataset before training on it"),
    "pack": ("htr_lightning.cli.pack", "preprocess a large dataset once, on one machine or several"),
    "extract": ("htr_lightning.cli.extract", "write the lines of a dataset as image files with a manifest"),
    "gallery": ("htr_lightning.cli.gallery", "draw the effect of preprocessing and augmentation on lines"),
    "sweep-report": ("htr_lightning.cli.sweep_report", "show the results of a hyperparameter sweep"),
}


def main() -> None:
    """Run the command that the command line names, or train."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for file names that are not UTF-8, as on standard error
    import_from_current_folder()
    try:
        run_command(sys.argv[1:])
    except KeyboardInterrupt:
        print("Stopped. All files written so far are complete.", file=sys.stderr)
        raise SystemExit(130) from None


def run_command(arguments: Sequence[str]) -> None:
    """Run the command that the first argument names; train if none is named.

    Raises:
        SystemExit: the command failed, or there is no such command.
    """
    if arguments and arguments[0] in COMMANDS:
        module, _ = COMMANDS[sys.argv.pop(1)]
        importlib.import_module(module).main()
    elif arguments[:1] == ["help"] or {"-h", "--help"} & set(arguments):
        print_help(arguments)
    elif "--version" in arguments:
        print(f"htr_lightning {htr_lightning.__version__}")
    elif arguments and not arguments[0].startswith(("-", "+", "~")) and "=" not in arguments[0]:
        print(f"{arguments[0]!r} is not a command; {suggest_command(arguments[0])}", file=sys.stderr)
        raise SystemExit(2)
    else:
        from htr_lightning.cli import train

        train.main()


def import_from_current_folder() -> None:
    """Let ``_target_`` and ``--trust`` name modules of the current folder, also in the console script.

    ``python -m`` does so by itself. Here the folder comes last, so that no file in it hides an installed module.
    """
    folder = os.getcwd()  # noqa: PTH109
    if not sys.flags.safe_path and not {"", folder} & set(sys.path):
        sys.path.append(folder)


def suggest_command(name: str) -> str:
    """Return what to type instead of the name of a command that does not exist."""
    import difflib

    if name in ("train", "fit"):
        return "to train, leave it out: python -m htr_lightning dataset=..."
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(COMMANDS)}, or see --help"


def print_help(arguments: Sequence[str]) -> None:
    """Print the help, with the options of the folder that ``--config-dir`` names."""
    from htr_lightning.cli.arguments import parse_config_dir
    from htr_lightning.cli.console import exit_with_message, print_result

    with exit_with_message():
        print_result(render_help(parse_config_dir(arguments)))


def render_help(config_dir: Path | None = None) -> str:
    """Return the commands, and the config groups with their options, those of the user's folder included."""
    from htr_lightning.config.compose import list_groups

    options = list_groups(config_dir)
    experiments = options.pop("experiment")
    commands = "\n".join(f"  {name:<13} {text}" for name, (_, text) in COMMANDS.items())
    choices = "\n".join(f"  {name:<13} {', '.join(names)}" for name, names in options.items())
    return f"""\
python -m htr_lightning [+experiment=NAME] [GROUP=OPTION ...] [KEY=VALUE ...]
    train and evaluate a model, and write it as one file (default: on synthetic handwriting)
python -m htr_lightning COMMAND ...
    run a command; COMMAND --help shows its options
python -m htr_lightning --version

Commands
{commands}

Experiments (+experiment=NAME)
  {", ".join(experiments)}

Config groups (GROUP=OPTION)
{choices}

Values (KEY=VALUE), for example
  dataset.root=my_folder   trainer.max_epochs=50   optim.lr=1e-3   seed=2   run_name=mine
  resume=runs/...          resume a run that was stopped
  resume=auto              resume the run in the run folder, or start it
  dataset.root='Été (1923)'    folders and names are used as typed; [a, b] is a list
  --cfg job                print the composed configuration, and exit (--resolve: with its derived values)
  --config-dir FOLDER      also search FOLDER for config groups
  --trust NAME             let the run to resume or the model to start from use NAME, a class, module or
                           package outside of this one, whose code is then run
  --multirun               run every combination of comma-separated values; with
                           hydra/sweeper=study, sample from ranges and prune bad trials"""


if __name__ == "__main__":
    main()
