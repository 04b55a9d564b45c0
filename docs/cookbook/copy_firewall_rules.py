"""Copy the firewall rules of one data centre to another. Existing rules are not changed.

python copy_firewall_rules.py us-east us-west

The arguments are profiles of the triton command. A rule about a single machine (VM ...) is
skipped: its id means nothing in the other data centre.
"""

import re
import sys

from smartdc import DataCenter

source, target = (DataCenter(profile=name) for name in sys.argv[1:])
there = {(rule.rule, rule.description) for rule in target.firewall_rules()}
for rule in source.firewall_rules():
    if re.search(r"\bvm\b", rule.rule, re.IGNORECASE):
        print("skipped ", rule.rule)
    elif (rule.rule, rule.description) in there:
        print("exists  ", rule.rule)
    else:
        target.create_firewall_rule(
            rule.rule, enabled=rule.enabled, description=rule.description
        )
        print("copied  ", rule.rule)
