"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; tests that ask for it are skipped where HORAE_DATA is not set."""
    folder = os.environ.get("HORAE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HORAE_DATA is not set")
    return Path(folder)
