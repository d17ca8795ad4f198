"""Made content for tests: two modalities of random vectors, some of them missing."""

import numpy as np

from horae.features.content.of_items import ItemContent, Reduction
from horae.features.content.settings import ContentSettings


def content_for(items, unknown=(), widths=(("text", 6), ("image", 3)), seed=0):
    """Vectors for each item but the unknown ones; every third picture is missing, too."""
    rng = np.random.default_rng(seed)
    vectors, known = {}, {}
    for name, width in widths:
        there = np.array([False, *(one not in unknown for one in items.all)])
        if name == "image":
            there &= np.arange(len(there)) % 3 != 0
        vectors[name] = (rng.standard_normal((len(there), width)) * there[:, None] / width**0.5).astype(np.float32)
        known[name] = there
    reductions = {
        name: Reduction(np.zeros(width, np.float32), np.eye(width, dtype=np.float32)) for name, width in widths
    }
    return ItemContent(vectors, known, reductions, ContentSettings(text="hashed"))
