"""Development tools: `manage.py up`, its embedded services, the mailbox and the previews of mail.

They are not in the image.

`up` starts the whole application with nothing else installed: it runs its own PostgreSQL and a
server that speaks the Valkey protocol, unless `DATABASE_URL`, `VALKEY_URL` or `CELERY_BROKER_URL`
name others. In development, add `"dovetail.devtools"` to `INSTALLED_APPS`, include
`dovetail.devtools.urls`, and define these settings:

    ENV = env    # the module that reads the environment
    DEMO = "apps.articles.demo.people"    # has LOGINS and PASSWORD, which `up` prints
    MAIL_DIR = DATA_DIR / "mail"    # where the mailbox keeps caught email
"""
