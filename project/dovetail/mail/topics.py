"""The kinds of mail that people can turn off.

An app names its own, in a module that its `AppConfig.ready` imports:

    COMMENTS = Topic(
        "comments",
        label="Comments on your articles",
        reason="You are receiving this email because someone commented on your article.",
    )
    topics.register(COMMENTS)

Mail without a topic is about a person's account, and is always sent.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A kind of mail.

    Attributes:
        name: stable, of up to 50 letters; it is stored, and is part of links in mails.
        label: for the list of settings.
        reason: why someone gets it, for the end of the mail.
        description: how often it is sent, for the list of settings.
    """

    name: str
    label: str
    reason: str
    description: str = ""


_topics: dict[str, Topic] = {}


def register(topic: Topic) -> None:
    """Add a topic.

    Raises:
        ValueError: another topic has this name.
    """
    if _topics.setdefault(topic.name, topic) != topic:
        raise ValueError(f"There are two topics of mail with the name {topic.name!r}.")


def find(name: str) -> Topic | None:
    return _topics.get(name)


def all_topics() -> list[Topic]:
    """Return the topics in the order of their labels."""
    return sorted(_topics.values(), key=lambda topic: topic.label)
