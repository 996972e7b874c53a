"""Reasons for a risk: what speaks for it and against it, in terms that a technician thinks in."""
