"""Objectives: what a network learns from a framed batch; one file each.

network + framed batch -> objective -> steps (a loss, and the parameters that it moves) -> the loop
"""

from horae.training.objectives.choose import check_objective, make_objective
from horae.training.objectives.next_item import NextItemObjective
from horae.training.objectives.objective import LossName, NegativesName, Objective, Step
from horae.training.objectives.pair import PairObjective
from horae.training.objectives.penalised import Penalised
from horae.training.objectives.value import ValueObjective

__all__ = [
    "LossName",
    "NegativesName",
    "NextItemObjective",
    "Objective",
    "PairObjective",
    "Penalised",
    "Step",
    "ValueObjective",
    "check_objective",
    "make_objective",
]
