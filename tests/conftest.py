"""What every test may ask for."""

import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # several test processes share the cores: nobody spins

import pytest
import torch
from hypothesis import HealthCheck, settings

# The same examples at every run, so that a change is judged by its own doing; a search with fresh ones is
# `pytest --hypothesis-profile=fresh`.
QUIET = [HealthCheck.filter_too_much, HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=QUIET)
settings.register_profile("fresh", deadline=None, suppress_health_check=QUIET)
settings.load_profile("same")


torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; tests that ask for it are skipped where HORAE_DATA is not set."""
    folder = os.environ.get("HORAE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HORAE_DATA is not set")
    return Path(folder)
