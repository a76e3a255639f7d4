"""Pages for the people who run the site, beside Django's admin."""
