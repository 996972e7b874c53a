"""Put readings on a daily grid and cut windows: events, labels, follow-up, splits, the registry of
units.
"""
