"""Articles for the demo, composed from the sentences in `material.toml`.

The seed is fixed, so a second run composes the same articles and adds only those that are missing.
"""

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from apps.articles.models import Category

SEED = 1789
PER_CATEGORY = 40
SPAN = timedelta(days=365)
DRAFT_EVERY = 14  # one article in so many is a draft
MATERIAL = Path(__file__).with_name("material.toml")


@dataclass(frozen=True)
class Text:
    """The text of an article, without an author."""

    category: Category
    title: str
    summary: str
    body: str
    published_at: datetime | None


def write(now: datetime) -> Iterator[Text]:
    """Yield all articles, newest first, with publication times spread over a year.

    Args:
        now: the end of that year.
    """
    material = tomllib.loads(MATERIAL.read_text(encoding="utf-8"))
    chance = random.Random(SEED)  # noqa: S311 - not used for security
    subjects = list(_subjects(material, chance))
    chance.shuffle(subjects)
    step = SPAN / len(subjects)
    for number, (category, topic, pattern) in enumerate(subjects):
        words = material[category.value][topic]
        chosen = {key: chance.choice(words[f"{key}s"]) for key in ("trouble", "habit", "gain")}
        slots = chosen | {"topic": topic}
        published_at = now - step * (number + chance.random())
        yield Text(
            category=category,
            title=_sentence(pattern, slots),
            summary=_sentence(chance.choice(material["summaries"]), slots),
            body=_body(material, words["facts"], slots, chance),
            published_at=None if number % DRAFT_EVERY == 1 else published_at,
        )


def _subjects(
    material: dict[str, Any], chance: random.Random
) -> Iterator[tuple[Category, str, str]]:
    """Pair topics with title patterns, each pair at most once."""
    for category in Category:
        pairs = [
            (category, topic, pattern)
            for topic in material[category.value]
            for pattern in material["titles"]
        ]
        yield from chance.sample(pairs, PER_CATEGORY)


def _body(
    material: dict[str, Any], facts: list[str], slots: dict[str, str], chance: random.Random
) -> str:
    turns = chance.sample(material["turns"], 3)
    known = chance.sample(facts, len(facts))
    paragraphs = [
        [chance.choice(material["openings"]), turns[0]],
        known[:3],
        [turns[1], known[3], chance.choice(material["advice"])],
        [chance.choice(material["results"]), known[4], turns[2]],
        [chance.choice(material["closings"])],
    ]
    if chance.random() < 0.4:  # noqa: PLR2004 - so some articles are shorter
        del paragraphs[3]
    return "\n\n".join(
        " ".join(_sentence(sentence, slots) for sentence in paragraph) for paragraph in paragraphs
    )


def _sentence(pattern: str, slots: dict[str, str]) -> str:
    text = pattern.format_map(slots)
    return text[0].upper() + text[1:]
