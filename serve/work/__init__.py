"""The parts of the service's work, without HTTP: choice of bundles, records, pushes, rows."""
