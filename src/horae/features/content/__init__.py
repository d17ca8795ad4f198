"""What items are made of, as vectors: their texts, their pictures, and vectors that somebody else computed.

`texts.py` makes plain text of a catalog's columns, an encoder (`hashed.py`, `multilingual.py`, `folder.py`) makes
vectors of it, `cache.py` keeps them on disk, `images.py` and `image_folder.py` do the same for pictures, `vectors.py`
holds the outcome item by item, and `encode.py` puts these together. `choosing.py` says which encoder a name means.

Array suffixes: N texts or pictures, C width of a vector, I items (row 0 is padding).
"""
