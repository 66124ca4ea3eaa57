"""``hydra/sweeper=study``: trials sampled by Optuna. Hydra loads sweepers from the package ``hydra_plugins`` only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from htr_lightning.cli.console import exit_with_message


class StudySweeper(Sweeper):
    """Minimizes ``val/cer``, which runs return, in a study that can be resumed.

    Args:
        num_trials: of the study, including those of a resumed study, but not those that failed earlier.
        num_parallel: trials that run in parallel; more than one needs a launcher that does so.
        sampler: tpe or random.
        pruner: median, hyperband or none.
        prune_after: number of validations before a trial can be pruned.
        seed: of the sampler.
        storage: URL of the study's database; None for ``study.db`` in the sweep's folder. One sweep at a time may
            use it.
    """

    def __init__(
        self,
        num_trials: int = 20,
        num_parallel: int = 1,
        sampler: str = "tpe",
        pruner: str = "median",
        prune_after: int = 3,
        seed: int = 1,
        storage: str | None = None,
    ) -> None:
        self.num_trials, self.num_parallel, self.storage = num_trials, num_parallel, storage
        self.sampler, self.pruner, self.prune_after, self.seed = sampler, pruner, prune_after, seed

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Create the launcher; Hydra calls this."""
        self.context, self.composed = hydra_context, config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    @exit_with_message()  # Hydra would print a traceback
    def sweep(self, arguments: list[str]) -> Any:
        """Run the study to its end."""
        from htr_lightning.sweep.run import claim_sweep_folder, run_study

        overrides = OverridesParser.create(config_loader=self.context.config_loader).parse_overrides(arguments)
        folder = Path(str(self.composed.hydra.sweep.dir)).absolute()
        with claim_sweep_folder(folder):
            OmegaConf.save(self.composed, folder / "multirun.yaml")
            return run_study(self, overrides, folder)

    def check(self, overrides: Sequence[str]) -> None:
        """Validate the configuration of a trial before the sweep starts."""
        from htr_lightning.config.validate import validate
        from htr_lightning.sweep.run import refuse_several_devices

        cfg = self.context.config_loader.load_sweep_config(self.composed, list(overrides))
        own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
        validate(own)
        refuse_several_devices(own)

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        """Run trials; return their values, None for one that failed or whose process was killed."""
        from htr_lightning.sweep.trials import record_launcher_failure

        try:
            jobs = self.launcher.launch([list(overrides) for overrides in batch], initial_job_idx=first)
        except Exception as error:  # launchers raise various errors when a process or job was killed
            return record_launcher_failure(Path(str(self.composed.hydra.sweep.dir)), batch, first, error)
        return [job.return_value if job.status == JobStatus.COMPLETED else None for job in jobs]
