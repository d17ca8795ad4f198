"""Honest evaluation: requests cut from the log, ranked by the one path, judged with intervals and an audit."""
