"""Evaluation over time: models fitted again and again, and what becomes of those that are not."""
