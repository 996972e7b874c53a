"""The three stages (features, risks, forecasts) as plain functions and in one process."""
