"""Score your own readings with a trained bundle.

    python examples/score_readings.py runs/demo/bundles/pump-… readings.csv

The CSV has the columns facility_id, equipment_id, point_id, date and value.
"""

import sys

import hvac

bundle = hvac.load_bundle(sys.argv[1])
risks = bundle.predict_readings(sys.argv[2])
print(
    risks[
        ["equipment_id", "horizon", "risk", "alarm", "needs_look", "why", "status"]
    ].to_string(index=False)
)
