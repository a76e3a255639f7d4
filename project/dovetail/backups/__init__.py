"""Backups: what they consist of, and what makes, checks and restores them.

A backup is a folder, in a folder or a bucket (`places`), named after the time it was begun:

    20261129T024500Z-4f9d/
        database/…        as `pg_dump --format=directory` writes it
        uploads/…         each file of the default storage, under its own name
        uploads.jsonl     a line for each upload: its path, size and SHA-256
        files.jsonl       a line for each file above, as it is stored: path, size and SHA-256
        manifest.json     the rest (`manifest`); written last, so that what lacks it is incomplete

With recipients (`encryption`), all but the last two are encrypted, and end in `.age`.

Own code because the packages for this (django-dbbackup) hold dumps in memory or in one file, write
no manifest, and encrypt with a keyring that gpg keeps.
"""
