"""Item tables: what a network sees of an item."""

from horae.models.items.fused import FusedTable
from horae.models.items.ids import IdTable

__all__ = ["ItemTable"]

ItemTable = IdTable | FusedTable
