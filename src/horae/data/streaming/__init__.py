"""Logs larger than memory: Parquet read in chunks, spread over parts on disk, each part cleaned as a whole log is."""
