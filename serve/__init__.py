"""The API and the pages on Ray Serve: a thin layer over `hvac`."""
