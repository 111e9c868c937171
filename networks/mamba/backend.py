"""Which scan runs: `mamba_ssm`'s kernels on a GPU where that package imports, our own code everywhere else."""

import functools
import importlib
import logging
from types import ModuleType

log = logging.getLogger(__name__)


@functools.cache
def kernels() -> ModuleType | None:
    """The imported `mamba_ssm` package, or None where it is absent or does not load (it can lack its CUDA part)."""
    try:
        module = importlib.import_module("mamba_ssm")
        importlib.import_module("mamba_ssm.ops.selective_scan_interface")
        importlib.import_module("mamba_ssm.ops.triton.ssd_combined")
    except (ImportError, OSError, RuntimeError) as fault:
        log.debug("mamba_ssm is not used: %s", fault)
        return None
    return module


@functools.cache
def log_choice(name: str) -> None:
    """Write the chosen scan to the log, once per name and process."""
    log.info("selective scan: %s", name)
