"""Monitors that can be believed: each declares how often it will alert where nothing changes.

A *chart* looks at *series* (columns S) over *periods* (rows P: weeks, or blocks of 4 weeks). The
first periods are the *reference*, the later ones are *watched*. Names and shapes:

    `periods`      days → weeks: value_TN, level_TN → means value_PN, level_PN; blocks of 4 weeks
    `reference`    value_PS, design_PSK → z_PS: how far from a line fitted on the reference, in spreads
    `chart_statistics`   z_PS → statistic_PS: CUSUM (slow changes) or each period by itself (jumps)
    `chart_thresholds`   the reference's residuals drawn anew → h, so that alerts per fleet-year are as declared
    `charts`       a chart from value to alerts; `chart_kinds.Chart` says how, `Charted` what came out
    `data`, `inputs`, `score_sums`    three monitors made of charts; `bets` is a betting process
    `known_causes`    what is known of a machine that an alert is about: it failed, or alarmed
    `alert_rows`, `alerts`    rows (monitor, kind, subject, day, statistic, threshold, alert, since, parts)
"""
