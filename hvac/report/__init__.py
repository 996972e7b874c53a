"""Write figures and pages from metrics, in English and Japanese."""
