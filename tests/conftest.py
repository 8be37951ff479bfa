"""How fast a machine answers is not what a property is about: no example has a deadline.

Where the variable CI is set, hypothesis tries the same examples at every run.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
