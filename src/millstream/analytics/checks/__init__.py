"""What an application must keep, beyond what the service models say of its members.

Checked is the whole application as it would be after a call, so that nothing wrong can come about by updates either.
Every check raises a Fault, in AWS's words where they are known.
"""

from millstream.analytics.checks.configuration import check_configuration
from millstream.analytics.checks.program import check_program, check_startable
from millstream.analytics.checks.resources import check_resources

__all__ = ["check_configuration", "check_program", "check_resources", "check_startable"]
