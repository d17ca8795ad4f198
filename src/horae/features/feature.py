"""What a feature is called, in what unit it is, and when it is null: the words beside the numbers.

Every group of features is a function to `dict[name, float32 array]` (NaN is null), and a tuple of `Feature`s that says
what the names mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Columns", "Feature", "Float32s"]

Float32s = npt.NDArray[np.float32]
Columns = dict[str, Float32s]


@dataclass(frozen=True)
class Feature:
    """A kind of column.

    Attributes:
        name: As in the output; `{window}`, `{half_life}`, `{column}` stand for what was asked, or what the log has.
        unit: What the number counts; `of the value` where it is in the unit of the log's values.
        null: When it is null.
        doc: What it is, in a sentence.
    """

    name: str
    unit: str
    null: str
    doc: str
