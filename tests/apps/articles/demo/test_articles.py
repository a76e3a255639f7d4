import re
from collections import Counter
from datetime import UTC, datetime, timedelta

from apps.articles.demo.articles import write
from apps.articles.models import Article, Category

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_two_hundred_articles_cover_all_categories_and_one_year() -> None:
    texts = list(write(NOW))
    assert Counter(text.category for text in texts) == dict.fromkeys(Category, 40)
    times = [text.published_at for text in texts if text.published_at]
    assert NOW - timedelta(days=365) <= min(times) < NOW - timedelta(days=350)
    assert NOW - timedelta(days=10) < max(times) <= NOW
    assert times == sorted(times, reverse=True)
    assert 10 <= sum(text.published_at is None for text in texts) <= 20


def test_articles_are_the_same_every_time() -> None:
    assert list(write(NOW)) == list(write(NOW))


def test_articles_are_unique_valid_and_well_formed() -> None:
    texts = list(write(NOW))
    assert len({text.title for text in texts}) == 200
    assert len({text.body for text in texts}) == 200
    for text in texts:
        draft = Article(title=text.title, summary=text.summary, body=text.body)
        draft.clean_fields(exclude=["author", "slug"])
        assert text.title[0].isupper()
        assert 4 <= text.body.count("\n\n") + 1 <= 5
        assert 90 <= len(text.body.split()) <= 400
        everything = f"{text.title} {text.summary} {text.body}"
        assert not re.search(r"[{}]|\blorem\b|\ba [aeiou]\w+s\b|  |\.\.|\s[.,;:]", everything)
        sentences = re.split(r"(?<=[.!?]) |\n\n", text.body)
        assert all(sentence[0].isupper() or sentence[0] == '"' for sentence in sentences)
        assert len(set(sentences)) == len(sentences)
