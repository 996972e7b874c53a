"""Turn scores into risks and alarms: calibration, thresholds, alarm episodes."""
