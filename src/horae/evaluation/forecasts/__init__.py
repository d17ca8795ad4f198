"""Is what a run says of the next event true? Its behavior, its time, its value, beside simple methods."""
