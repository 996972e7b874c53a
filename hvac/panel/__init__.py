"""Readings of any format to windows, labels and splits."""
