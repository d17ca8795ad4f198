"""What comes next as numbers: series and events forecast beside their opponents, with bounds."""

"""Forecasts of series and events, anomalies, and the network that fills missing values; above training, below the CLI."""
"""Forecasts of series and events, anomalies, and the network that fills missing values."""
