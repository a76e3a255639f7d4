from celery.schedules import crontab

from config import env
from dovetail.tasks.queues import TASKS, queue, transport_options

CELERY_BROKER_URL = env.broker("CELERY_BROKER_URL")
# Celery reads CELERY_BROKER_URL from the environment too, where it may start with valkey://, which
# it does not know. These two come before it.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL
# Celery's default, stated because anything else, such as pickle, would let the broker run code.
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Without a broker, queueing fails within seconds instead of blocking the request.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2}
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(CELERY_BROKER_URL)

# Apart, so that a task of minutes in "bulk" delays no mail: a worker may serve some of them only.
CELERY_TASK_QUEUES = [queue("default"), queue("mail"), queue("bulk")]
CELERY_TASK_DEFAULT_QUEUE = CELERY_TASK_DEFAULT_ROUTING_KEY = "default"
CELERY_TASK_DEFAULT_EXCHANGE = TASKS.name
CELERY_TASK_DEFAULT_EXCHANGE_TYPE = TASKS.type
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a misspelled name would be one that no worker serves
CELERY_TASK_ROUTES = {
    "dovetail.mail.tasks.*": "mail",
    "dovetail.tasks.outbox.*": "mail",
    "apps.articles.tasks.check_import": "bulk",
    "apps.articles.tasks.run_import": "bulk",
    "apps.users.tasks.collect_data": "bulk",
    "dovetail.backups.tasks.*": "bulk",
    "dovetail.media.tasks.*": "bulk",
}

# Tasks are acknowledged when done. If a worker dies, its task runs again, so tasks are idempotent.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONSUMER = "dovetail.tasks.consumer:Consumer"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300  # seconds
CELERY_TASK_SOFT_TIME_LIMIT = 240  # seconds

# A file in which a worker or the scheduler notes that it lives, for a probe.
HEARTBEAT_PATH = env.str("HEARTBEAT_PATH", "")
CELERY_BEAT_MAX_LOOP_INTERVAL = 10  # seconds between two notes; by default it may sleep for 300

CELERY_BEAT_SCHEDULER = "dovetail.tasks.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "collect-dead-letters": {
        "task": "dovetail.tasks.dead_letters.collect_dead_letters",
        "schedule": crontab(),
        "options": {"expires": 60},
    },
    # What could not be sent when it was committed, because the broker was unavailable.
    "drain-outbox": {
        "task": "dovetail.tasks.outbox.drain_outbox",
        "schedule": crontab(),  # each minute
        "options": {"expires": 60},
    },
    "delete-unused-uploads": {
        "task": "dovetail.media.tasks.delete_unused_uploads",
        "schedule": crontab(hour="3", minute="40"),
    },
    "delete-expired-answers": {
        "task": "dovetail.api.tasks.delete_expired_answers",
        "schedule": crontab(minute="50"),
    },
    "clear-expired-sessions": {
        "task": "apps.core.tasks.clear_expired_sessions",
        "schedule": crontab(hour="3", minute="0"),
    },
    "delete-ended-user-sessions": {
        "task": "apps.users.tasks.delete_ended_user_sessions",
        "schedule": crontab(hour="3", minute="5"),
    },
    "remove-deleted-accounts": {
        "task": "apps.users.tasks.remove_deleted_accounts",
        "schedule": crontab(hour="3", minute="10"),
    },
    "revoke-expired-rights": {
        "task": "apps.users.tasks.revoke_expired_rights",
        "schedule": crontab(minute="*/10"),
    },
    "resume-imports": {
        "task": "apps.articles.tasks.resume_imports",
        "schedule": crontab(),  # every minute
    },
    "remove-old-imports": {
        "task": "apps.articles.tasks.remove_old_imports",
        "schedule": crontab(hour="3", minute="40"),
    },
    "remove-old-exports": {
        "task": "apps.users.tasks.remove_old_exports",
        "schedule": crontab(hour="3", minute="20"),
    },
    "remove-expired-access-tokens": {
        "task": "apps.users.tasks.remove_expired_access_tokens",
        "schedule": crontab(hour="3", minute="15"),
    },
    "make-missing-variants": {
        "task": "dovetail.media.tasks.make_missing_variants",
        "schedule": crontab(hour="2", minute="30"),
    },
    "delete-orphaned-files": {
        "task": "dovetail.media.tasks.delete_orphaned_files",
        "schedule": crontab(hour="3", minute="40"),
    },
    "remove-old-failures-of-tasks": {
        "task": "dovetail.tasks.failures.remove_old_failures",
        "schedule": crontab(hour="3", minute="35"),
    },
    "remove-old-records-of-tasks": {
        "task": "dovetail.tasks.once.remove_old_records",
        "schedule": crontab(hour="3", minute="30"),
    },
    "remove-old-security-events": {
        "task": "apps.users.tasks.remove_old_security_events",
        "schedule": crontab(hour="3", minute="25"),
    },
}
