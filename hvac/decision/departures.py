"""How far a facility departs from its class: a shift of the class's log-odds.

A facility may be older, better kept or busier than the fleet. At the class's calibrated log-odds u,
the facility's are u + shift, where a normal prior draws the shift towards zero (partial pooling;
Gelman & Hill 2007, ch. 12): it is as large as the machines can prove. As in `pooling`, a facility
counts by its machines, not by its windows. Classes of one facility need not depart alike: one shift
for all of them helped on some simulated fleets and hurt on others.
Legend: B windows, K breakpoints.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from hvac.decision.calibration import Calibrator
from hvac.decision.pooling import CalPart

SHIFT_STD = 0.4  # of the prior of a facility's shift, in log-odds
# with a positive window, and with a negative: below either, the class's calibrator holds exactly
LEAST_MACHINES = 5


def fit_shift(calibrator: Calibrator, part: CalPart) -> float:
    """Return the log-odds a facility lies above its class's calibrator.

    It is exactly 0 where there are too few machines.

    Args:
        calibrator: the class's.
        part: the known windows of one class at one facility.

    >>> fleet = Calibrator(method="shift")
    >>> def seen(positives, machines):
    ...     return CalPart(np.zeros(machines), np.arange(machines) < positives, np.arange(machines))
    >>> [round(fit_shift(fleet, seen(n, 40)), 2) for n in (4, 20, 32)]
    [0.0, 0.0, 0.76]
    """
    u_B = logit(calibrator.transform(part.score_B))
    y_B = np.asarray(part.y_B, np.float64)
    machines = len(np.unique(part.groups_B[y_B >= 0]))
    failing = len(np.unique(part.groups_B[y_B > 0]))
    sound = len(np.unique(part.groups_B[y_B == 0]))
    if min(failing, sound) < LEAST_MACHINES:
        return 0.0

    from scipy.optimize import brentq

    def slope(shift: float) -> float:
        """Return the slope of the negative log-posterior, which is convex."""
        mean = np.average(expit(u_B + shift) - y_B, weights=part.weights)
        return float(machines * mean + shift / SHIFT_STD**2)

    reach = machines * SHIFT_STD**2
    return float(brentq(slope, -reach, reach))
