"""What `horae.data.checks` measures, finds and shows."""
