"""Events that a run did not expect: how surprising each is, and which are to be looked at."""
