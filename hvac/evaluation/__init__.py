"""Measure predictions against events: metrics, intervals over units, comparisons."""
