"""Keep of every unit what its newest window needs, and bring it up to date with new readings."""
