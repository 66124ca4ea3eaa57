"""``python -m htr_lightning``: run an experiment, or one of the commands below."""

import importlib
import sys

import htr_lightning

COMMANDS = {
    "evaluate": ("htr_lightning.cli.evaluate", "measure a model on a manifest of lines"),
    "compare": ("htr_lightning.cli.compare", "compare two models that were measured on the same lines"),
    "predict": ("htr_lightning.cli.predict", "read line images with a model"),
    "explain": ("htr_lightning.cli.explain", "show what a model saw in lines: frames, alternatives, pixels"),
    "lm": ("htr_lightning.cli.lm", "learn a language model, a character n-gram, from texts"),
    "tune": ("htr_lightning.cli.tune", "find how much a language model should count"),
    "calibrate": ("htr_lightning.cli.calibrate", "make a model as sure as it is right"),
    "zoo": ("htr_lightning.cli.zoo", "list the models that ship with the package"),
    "export": ("htr_lightning.cli.export", "write a model as one file to keep or to publish"),
    "sweep-report": ("htr_lightning.cli.sweep_report", "show what a sweep found, and write the best as an experiment"),
    "doctor": ("htr_lightning.cli.doctor", "look at a data set before training on it"),
    "extract": ("htr_lightning.cli.extract", "write the lines of a data set as image files with a manifest"),
    "gallery": ("htr_lightning.cli.gallery", "draw what preprocessing and augmentation do to your lines"),
}


def main() -> None:
    """Send the command line to the command it names, or to Hydra."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in COMMANDS:
        module, _ = COMMANDS[sys.argv.pop(1)]
        try:
            importlib.import_module(module).main()
        except KeyboardInterrupt:
            print("Stopped. What was written is whole.", file=sys.stderr)
            raise SystemExit(130) from None
    elif arguments and arguments[0] in ("-h", "--help", "help"):
        print(help_text())
    elif arguments and arguments[0] == "--version":
        print(f"htr_lightning {htr_lightning.__version__}")
    elif arguments and not arguments[0].startswith(("-", "+", "~")) and "=" not in arguments[0]:
        print(f"There is no command {arguments[0]!r}.\n\n{help_text()}", file=sys.stderr)
        raise SystemExit(2)
    else:
        from htr_lightning.cli.train import start

        start()


def help_text() -> str:
    """Return the commands, and what an experiment can be composed of."""
    from htr_lightning.config.compose import list_groups

    options = list_groups()
    experiments = options.pop("experiment")
    commands = "\n".join(f"  {name:<12} {text}" for name, (_, text) in COMMANDS.items())
    composed = "\n".join(f"  {name:<12} {', '.join(names)}" for name, names in options.items())
    return f"""\
python -m htr_lightning [+experiment=NAME] [GROUP=OPTION ...] [KEY=VALUE ...]
    trains, measures and writes a model; without arguments, on synthetic handwriting
python -m htr_lightning COMMAND ...
    works with a model or with data; COMMAND --help says more
python -m htr_lightning --version

Commands
{commands}

Experiments (+experiment=NAME)
  {", ".join(experiments)}

Groups (GROUP=OPTION) and their options
{composed}

Single values (KEY=VALUE), for example
  dataset.root=my_folder   trainer.max_epochs=50   optim.lr=1e-3   seed=2   run_name=mine
  resume=runs/...          go on with a run that was stopped
  resume=auto              go on with what is in the run folder, or begin
  --cfg job                print the composed configuration, run nothing
  --config-dir DIR         look for more dataset and experiment files in DIR
  --multirun               run once for each combination of comma-separated values; with
                           hydra/sweeper=study draw from ranges, and end what does badly"""


if __name__ == "__main__":
    main()
