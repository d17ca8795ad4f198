"""From cleaned events to the batches that models read; nothing here knows a model.

`vocabulary` turns ids into indices, `history` holds all events as flat arrays and cuts histories from them, `batch`
turns histories into one padded batch (the only place where events become tensors), `framing` adds training targets,
`clock` converts times.
"""
