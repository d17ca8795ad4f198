"""What is known of a user, an item or the whole log as of a moment; nothing later is looked at.

`book.py` lays events out key after key, `moments.py` says as of when, a `Group` makes columns of both, `groups.py`
lists the groups, and `compute.py` puts their columns into one frame or streams them to a file. Rhythm, trend, calendar
and profiles are functions of arrays; `describing.py` puts them on the page of a log.

Array suffixes: K lines (one per key), N events of these lines, B moments asked about.
"""
