"""Statistics about the published articles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.utils import timezone

from apps.articles.models import Article, Category
from apps.users.models import User
from dovetail import analytics

WEEKS = 26
TOP = 8
WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Bar:
    """One bar of a chart.

    Attributes:
        value: what is counted: the value of a category, the id of an author, the start of a week.
        share: its percentage of the largest count, 0 to 100.
        at: its position, in columns from the left.
    """

    value: str | UUID | date
    label: str | date
    count: int
    share: float
    at: int = 0

    @property
    def top(self) -> float:
        return 100 - self.share


class Dashboard:
    def __init__(self) -> None:
        articles = Article.objects.published()
        self.count = articles.count()
        self.author_count = analytics.distinct(articles, "author")
        self.categories = _bars(
            [
                (value, Category(value).label, count)
                for value, count in analytics.count_by(articles, "category", top=TOP)
            ]
        )
        authors = analytics.count_by(articles, "author", top=TOP)
        names = {user.pk: str(user) for user in User.objects.filter(pk__in=dict(authors))}
        self.authors = _bars([(pk, names[pk], count) for pk, count in authors])
        self.weeks = _bars([(week, week, count) for week, count in _last_weeks()])

    @property
    def most(self) -> int:
        return max(week.count for week in self.weeks)


def _last_weeks() -> list[tuple[date, int]]:
    today = timezone.localdate()
    last = today - timedelta(days=today.weekday())
    weeks = [last - back * WEEK for back in reversed(range(WEEKS))]
    since = timezone.make_aware(datetime.combine(weeks[0], time.min))
    recent = Article.objects.published().filter(published_at__gte=since)
    counts = dict(analytics.count_per(recent, "published_at", "week"))
    return [(week, counts.get(week, 0)) for week in weeks]


def _bars(figures: Sequence[tuple[str | UUID | date, str | date, int]]) -> list[Bar]:
    largest = max((count for *_, count in figures), default=0) or 1
    return [
        Bar(value, label, count, round(100 * count / largest, 2), at)
        for at, (value, label, count) in enumerate(figures)
    ]
