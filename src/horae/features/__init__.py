"""What is known of a user, an item or the whole log as of a moment: windows, decay, sessions, context, circle, tables.

`book.py` lays events out key after key, `moments.py` says as of when, a `Group` makes columns of both, `groups.py`
lists the groups, and `compute.py` puts their columns into one frame or streams them to a file.

Array suffixes: K lines (one per key), N events of these lines, B moments asked about.
"""

"""What is known as of a moment: windows, rhythm, trend and calendar, as arrays; nothing later is looked at."""
