"""What every test may ask for."""

import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # several test processes share the cores: nobody spins

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; tests that ask for it are skipped where HORAE_DATA is not set."""
    folder = os.environ.get("HORAE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HORAE_DATA is not set")
    return Path(folder)
