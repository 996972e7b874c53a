"""Ask a running service which machine to visit first and why, then send it a reading of today.

    python examples/ask_the_service.py http://127.0.0.1:8000 F001

The key, where the service asks for one, is read from the environment variable HVAC_KEY.
"""

import datetime as dt
import os
import sys

from hvac.client import Client, ServiceError

service = Client(sys.argv[1], key=os.environ.get("HVAC_KEY"))
facility = sys.argv[2]

try:
    first = service.ranking(facility)[0]
    unit = {"facility_id": facility, "equipment_id": first["equipment_id"]}
    (prediction,) = service.predict([unit], explain=True)
    print(f"visit {first['equipment_id']} first ({prediction['status']})")
    for horizon in prediction["horizons"]:
        print(
            f"  within {horizon['days']} days: {horizon['risk']:.0%}, alarm: {horizon['alarm']}"
        )
    for reason in prediction["horizons"][0]["reasons"] or []:
        print(f"  {reason['text']['en']}")
    for point in service.forecast(unit, horizons=[30])["forecasts"]:
        print(f"  {point['point_id']} in 30 days: {point['values'][-1]:.2f}")

    newest = service.equipment(facility, first["equipment_id"])["readings"][-1]
    reading = {
        "point_id": newest["point_id"],
        "date": dt.date.today(),
        "value": newest["value"],
    }
    stored = service.push([{**unit, "readings": [reading]}])
    print(
        f"kept {stored['readings']} reading; {stored['to_be_scored']} to be scored again"
    )
except ServiceError as error:
    sys.exit(f"error: {error}")
