"""The routes, one file each: they translate between the wire and the engine, and decide nothing."""
