"""From a model's scores to the list that is shown: strategies, rules, diversity, in one fixed order."""
