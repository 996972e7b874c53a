"""Metrics with intervals, alarms, figures, report."""
