"""The Serve graph (to come)."""
