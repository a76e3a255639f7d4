"""The project's settings, URLs and entry points.

Every process of the project imports this first, loads a quarter of a million objects and keeps them
all. Looking for garbage among them would take a quarter of the time of its start, so that waits
until everything is loaded: see `ProjectConfig.ready`.
"""

import gc

gc.disable()
