"""Scores in, recommendations out: ranking, the recommender and the run folder."""
