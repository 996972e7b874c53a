"""Anomalies in plain series: series, sliding windows, the `cnn1d` detector, its baseline, events,
report.
"""
