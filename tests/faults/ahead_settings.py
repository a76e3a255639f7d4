"""The settings of these tests, in a process whose clock is an hour ahead."""

from datetime import timedelta

import time_machine

from tests.faults.settings import *

time_machine.travel(timedelta(hours=1)).start()
