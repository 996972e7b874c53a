"""Make a fleet of HVAC equipment with weather, faults that grow, visits and sensor trouble."""
