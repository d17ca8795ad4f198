"""Models: a `SequenceBatch` in, scores out. Architecture only: no loss, no optimiser, no files, no clock.

`base` says what every model is. `opponents/` holds the simple methods, fitted by counting or in closed form; networks
are composed of `items/` (the item table), `encoders/` (what a history looks like) and heads.

Tensors (and arrays) carry their shape as a suffix. The legend, for the whole package:

    B   requests in a batch
    L   positions in a history, oldest first, right-padded
    D   width of a state
    H   attention heads
    F   features
    I   items; as a tensor's axis I + 1 long, row or column 0 being padding
    N   chosen items, or chosen positions or events in a flat list
    U   users; U1 is U + 1 long (offsets)
    S   sessions, or shared negative samples
    K   kept best, or latent factors of a factorisation

`h_BLD` is one state per request and position; `scores_BI` one score per request and item; `item_BL` item indices.
"""
