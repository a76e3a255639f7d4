import json

from tests.config.test_settings import run

START = """
import gc, json
import config, django
django.setup()
print(json.dumps([gc.isenabled(), gc.get_freeze_count(), gc.get_stats()[0]["collections"]]))
"""


def test_start_looks_for_no_garbage() -> None:
    process = run("-c", START, PYTHONPATH="project", DJANGO_SETTINGS_MODULE="config.settings.dev")
    assert process.returncode == 0, process.stderr
    enabled, kept, collections = json.loads(process.stdout)
    assert enabled
    assert kept > 100_000
    assert collections < 150  # a few in Python's own start; 400 otherwise
