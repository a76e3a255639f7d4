from celery import shared_task

from dovetail.api.models import StoredAnswer


@shared_task
def delete_expired_answers() -> None:
    """Delete the answers of idempotency keys that are no longer valid."""
    StoredAnswer.objects.expired().delete()
