"""A papermill engine whose kernels start warm: `papermill --engine runbook IN OUT`."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

from runbook_lib.kernels.manager import WarmKernelManager
from runbook_lib.kernels.ready import ReadyKernels

NAME = "runbook"
_SAVED_EVERY_S = 1.0


class SparingManager(NotebookExecutionManager):  # type: ignore[misc]
    """Writes the notebook once a second while its cells run, and in the end; papermill does twice a cell."""

    def save(self, **kwargs: Any) -> None:
        """Write it, if it is time to."""
        waited_s = (self.now() - self.last_save_time).total_seconds()
        if self.end_time is not None or waited_s >= _SAVED_EVERY_S:
            super().save(**kwargs)


class WarmEngine(NBClientEngine):  # type: ignore[misc]
    """Executes a notebook as papermill does, in a warm kernel over private sockets."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        **options: Any,
    ) -> Any:
        """Execute a notebook and keep it at its place; the arguments are those of papermill's `Engine`."""
        nb_man = SparingManager(nb, output_path, log_output, progress_bar, autosave_cell_every)
        nb_man.notebook_start()
        try:
            cls.execute_managed_notebook(nb_man, kernel_name, log_output=log_output, **options)
        finally:
            nb_man.cleanup_pbar()
            nb_man.notebook_complete()
        return nb_man.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        kernels: ReadyKernels | None = None,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Execute the notebook in place; its kernel is killed afterwards, which leaves nothing to wait for.

        Args:
            nb_man: papermill's record of the notebook, changed in place.
            kernel_name: Name of the kernel's specification.
            kernels: Where a kernel may be waiting; the next one is then made ready while this notebook runs.
            start_timeout: For a kernel to answer, in seconds.
            execution_timeout: For a cell, in seconds; None waits for ever.
            options: Further ones of papermill's own engine.
        """
        options.pop("input_path", None)
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=WarmKernelManager,
            shutdown_kernel="immediate",
            startup_timeout=start_timeout,
            timeout=execution_timeout,
            log=logger,
            **options,
        )
        if kernels:
            ready = kernels.take()
            if ready:
                client.km, client.kc = ready.manager, ready.client
            kernels.prepare(kernel_name)
        return client.execute()
