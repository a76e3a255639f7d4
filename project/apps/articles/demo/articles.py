"""Articles for the demo, put together from the sentences of `material.toml`.

The same seed gives the same articles, so that running the demo again finds its own.
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
A_CATEGORY = 40  # articles of each
SPAN = timedelta(days=365)
DRAFT_EVERY = 14  # every so many articles one is a draft
MATERIAL = Path(__file__).with_name("material.toml")


@dataclass(frozen=True)
class Text:
    """An article before it has an author."""

    category: Category
    title: str
    summary: str
    body: str
    published_at: datetime | None


def write(now: datetime) -> Iterator[Text]:
    """Write all articles, newest first, spread over the year before a time.

    Args:
        now: the latest possible time of publication.
    """
    material = tomllib.loads(MATERIAL.read_text(encoding="utf-8"))
    chance = random.Random(SEED)  # noqa: S311 - nothing depends on it being hard to guess
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
    """Pair topics with patterns of titles, no pair twice."""
    for category in Category:
        pairs = [
            (category, topic, pattern)
            for topic in material[category.value]
            for pattern in material["titles"]
        ]
        yield from chance.sample(pairs, A_CATEGORY)


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
    if chance.random() < 0.4:  # noqa: PLR2004 - some articles are shorter
        del paragraphs[3]
    return "\n\n".join(
        " ".join(_sentence(sentence, slots) for sentence in paragraph) for paragraph in paragraphs
    )


def _sentence(pattern: str, slots: dict[str, str]) -> str:
    text = pattern.format_map(slots)
    return text[0].upper() + text[1:]
