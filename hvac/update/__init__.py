"""Updates of a serving model from labels that have matured, guarded so that none does harm.

`matured`  risks as they were given, and what became of them: long rows N
`found_on_visits`  what people told of visits, laid over the labels of the log
`bends`    a line through the log-odds of risks (intercept, or slope and intercept), one a class or one for the fleet
`refits`   a fusion's weights, trees and lines fitted again on what has matured
`ladder`   candidates from simple to rich, each judged on later windows than it was fitted on
`promotion_gate`  whether the winner may be promoted: log-loss, calibration and alarms
`shadow`, `canary`  both risks of the same windows; a challenger that speaks in some facilities
`threshold_steps`  alarms steered to a declared rate, by small steps
`champions`   which bundle serves each class, which did before, and why that was changed
"""
