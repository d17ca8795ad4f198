"""Metrics of next-event forecasts, one per file: of kinds (behaviors), of amounts (times and values), of intervals."""
