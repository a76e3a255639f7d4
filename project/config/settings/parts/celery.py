from celery.schedules import crontab

from config import env

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
if CELERY_BROKER_URL.startswith("amqp"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}

# Quorum queues and a topic exchange from the start: the type of a queue cannot be changed later.
CELERY_TASK_DEFAULT_QUEUE = "tasks"
CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
CELERY_TASK_DEFAULT_EXCHANGE = "tasks"
CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "topic"
CELERY_TASK_DEFAULT_ROUTING_KEY = "tasks"

# Tasks are acknowledged when done. If a worker dies, its task runs again, so tasks are idempotent.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300  # seconds
CELERY_TASK_SOFT_TIME_LIMIT = 240  # seconds

CELERY_BEAT_SCHEDULE = {
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
    "remove-old-exports": {
        "task": "apps.users.tasks.remove_old_exports",
        "schedule": crontab(hour="3", minute="20"),
    },
    "remove-expired-access-tokens": {
        "task": "apps.users.tasks.remove_expired_access_tokens",
        "schedule": crontab(hour="3", minute="15"),
    },
    "remove-old-security-events": {
        "task": "apps.users.tasks.remove_old_security_events",
        "schedule": crontab(hour="3", minute="25"),
    },
}
