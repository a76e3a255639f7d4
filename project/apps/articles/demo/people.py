"""The demo's people."""

from dataclasses import dataclass

from django.conf import settings

PASSWORD = f"{settings.PROJECT_NAME}-demo"  # public on purpose; the demo runs only with DEBUG


@dataclass(frozen=True)
class Person:
    email: str
    name: str
    biography: str
    is_staff: bool = False
    is_superuser: bool = False
    is_editor: bool = False  # may edit all articles


ACCOUNTS = (
    Person(
        "admin@example.com",
        "Ada Ministry",
        "Runs this place and reads the logs.",
        is_staff=True,
        is_superuser=True,
    ),
    Person(
        "editor@example.com",
        "Edith Marlow",
        "Cuts every second adjective and keeps the calendar of what appears when.",
        is_staff=True,
        is_editor=True,
    ),
    Person("reader@example.com", "Remy Dahl", "Reads on the train and writes now and then."),
)
AUTHORS = (
    Person(
        "ines.okafor@example.com",
        "Inês Okafor",
        "Has kept databases awake and colleagues asleep for fifteen years. Prefers boring answers.",
    ),
    Person(
        "tomas.lindqvist@example.com",
        "Tomas Lindqvist",
        "Designs forms for a living and fills them in for sport.",
    ),
    Person(
        "priya.raman@example.com",
        "Priya Raman",
        "Moved from support to product and brought all the questions along.",
    ),
    Person(
        "samuel.achterberg@example.com",
        "Samuel Achterberg",
        "Bookkeeper turned founder. Believes in Fridays, forecasts and short contracts.",
    ),
    Person(
        "yuki.tanabe@example.com",
        "Yuki Tanabe",
        "Leads a team across five time zones and writes everything down.",
    ),
    Person(
        "clara.brandt@example.com",
        "Clara Brandt",
        "Typographer, cyclist, collector of bad error messages.",
    ),
    Person(
        "mateo.ruiz@example.com",
        "Mateo Ruiz",
        "Talks to customers before breakfast and to engineers after it.",
    ),
    Person(
        "hanna.koskinen@example.com",
        "Hanna Koskinen",
        "Builds queues, breaks them on purpose, and writes about both.",
    ),
)
LOGINS = tuple(person.email for person in ACCOUNTS)
