"""Read a report's figures from metrics.json.

python examples/read_metrics.py runs/demo/metrics.json
"""

import json
import sys
from pathlib import Path

metrics = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
family = metrics["run"]["family"]
for horizon, figures in metrics["models"][family].items():
    pr_auc, base = figures["pr_auc"], figures["base_rate"]
    print(
        f"{family}, {horizon} days: PR-AUC {pr_auc['value']:.3f}"
        f" [{pr_auc['low']:.3f}, {pr_auc['high']:.3f}], base rate {base['value']:.3f}"
    )
for model, by_horizon in metrics["differences"].items():
    difference = by_horizon["30"]["pr_auc"]
    print(
        f"against {model} at 30 days: {difference['value']:+.3f}, {difference['verdict']}"
    )
