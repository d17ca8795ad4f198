"""The kinds of raw log that `horae.data.sources` reads, one file each."""
