"""Compare the web server with others, on the same pages, settings and services, in one run.

    uv run benchmarks/http.py [--rounds 5] [--seconds 1.5] [--base CHECKOUT] [--short]

Each server answers each page for a moment, in turns, with 16 connections. Reports:

- what a page costs: requests per second of processor time, as a multiple of gunicorn's with two
  sync workers in the same round, as the median of all rounds;
- how long answers take at the same load for all, half of what that gunicorn can do;
- the memory of all processes (PSS), and the time from a start to the first page.

The processor's time is that of all processes of a server, and not of PostgreSQL and Valkey.
`--base` names a checkout of an earlier state, whose pages gunicorn serves as well. `--short` runs a
few pages on two servers. While a server of the kit runs, a WebSocket of it is busy.

Linux only, because it reads /proc. Installs the other servers for the length of the run.
"""

import argparse
import importlib
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In place of this folder, in which this file would be taken for Python's own `http`.
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

import psycopg  # noqa: E402
from benchmarks.http_load import Outcome, Request, send_all  # noqa: E402
from benchmarks.http_servers import (  # noqa: E402
    CONNECTIONS,
    EARLIER,
    FIRST,
    KINDS,
    OURS,
    TICK,
    Server,
    gunicorn,
)

from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey  # noqa: E402

RIVALS = ["gunicorn>=23,<24", "uvicorn>=0.35,<1", "uvicorn-worker", "orjson"]
HOST = "site.example"
AT_ONCE = 64  # connections at the same load
SEED = """
import json, sys
from django.conf import settings
from django.test import Client
from tests.factories import make_article, make_comment, make_member
authors = [make_member() for _ in range(20)]
articles = [make_article(authors[n % 20], title=f"Article {n}") for n in range(200)]
for n in range(10):
    make_comment(articles[-1], authors[n])
client = Client(HTTP_HOST="site.example", HTTP_X_FORWARDED_PROTO="https")
client.force_login(authors[0], backend="django.contrib.auth.backends.ModelBackend")
name = settings.SESSION_COOKIE_NAME
print(json.dumps({
    "article": articles[-1].get_absolute_url(),
    "session": f"{name}={client.cookies[name].value}",
    "csrf": settings.CSRF_COOKIE_NAME,
}))
"""


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", "X-Forwarded-Proto: https"]
    lines += ["X-Forwarded-For: 192.0.2.1", "Accept-Encoding: gzip, deflate, br", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def pages(seed: dict[str, str], asset: str) -> dict[str, Request]:
    """Return the requests by the names of their pages."""
    token = "a" * 32
    form = f"csrfmiddlewaretoken={token}&login=ada%40example.org&password=".encode()
    cookie = f"Cookie: {seed['csrf']}={token}"
    post = get(
        "/accounts/login/",
        *(cookie, f"Origin: https://{HOST}", f"Content-Length: {len(form)}"),
        "Content-Type: application/x-www-form-urlencoded",
    ).replace(b"GET", b"POST", 1)
    article, session = seed["article"], f"Cookie: {seed['session']}"
    return {
        "text": Request(get("/text/")),
        "home": Request(get("/")),
        "list": Request(get("/articles/")),
        "article": Request(get(article)),
        "home, signed in": Request(get("/", session)),
        "article, signed in": Request(get(article, session)),
        "search": Request(get("/articles/?q=article")),
        "JSON list": Request(get("/api/v1/articles/?page_size=20", "Accept: application/json")),
        "login form, refused": Request(post + form, 422),
        "style sheet": Request(get(asset)),
        "async view": Request(get("/async/")),
    }


def find_asset(folder: Path) -> str:
    manifest = json.loads((folder / "frontend/dist/.vite/manifest.json").read_text())
    return next(f"/static/{e['file']}" for e in manifest.values() if e["file"].endswith(".css"))


def assemble(checkout: Path, folder: Path) -> None:
    """Copy a checkout with its built front end."""
    if not (checkout / "frontend/dist/.vite/manifest.json").exists():
        sys.exit(f"error: {checkout}: build its front end first, with `bin/npm run build`.")
    ignored = shutil.ignore_patterns("__pycache__", "staticfiles")
    shutil.copytree(checkout / "project", folder / "project", ignore=ignored)
    shutil.copytree(checkout / "frontend/dist", folder / "frontend/dist")


def install(folder: Path, *packages: str) -> None:
    command = ["uv", "pip", "install", "--quiet", "--target", str(folder), *packages]
    subprocess.run(command, check=True)


def run_command(project: Path, values: dict[str, str], *arguments: str) -> str:
    """Run a command of `manage.py` and return what it prints."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=project, env=values, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def environment(folder: Path, database: str, valkey: str) -> dict[str, str]:
    paths = [folder / "project", folder.parent / "rivals", ROOT]
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "DJANGO_SETTINGS_MODULE": "benchmarks.http_settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": HOST,
        "SITE_URL": f"https://{HOST}",
        "TRUSTED_PROXY_COUNT": "1",
        "DATABASE_URL": database,
        "VALKEY_URL": f"{valkey}/0",
        "CELERY_BROKER_URL": f"{valkey}/1",
        "EMAIL_URL": "smtp://localhost:25",
        "DEFAULT_FROM_EMAIL": "Site <hello@site.example>",
        "DATA_DIR": str(folder / "data"),
    }


@contextmanager
def busy_socket(server: Server) -> Iterator[None]:
    """Keep a WebSocket of the kit's server busy: it asks ten times a second, and is answered."""
    if not server.kind.is_ours:
        yield
        return
    from tests.cable.websocket import RawSocket  # noqa: PLC0415

    headers = {"host": HOST, "origin": f"https://{HOST}", "x-forwarded-proto": "https"}
    connection = RawSocket(f"http://127.0.0.1:{server.port}", headers=headers)
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.1):
            connection.command("subscribe", '{"channel":"TurboStreamsChannel"}')
            connection.receive()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        connection.close()


async def measure(server: Server, request: Request, seconds: float) -> tuple[float, Outcome]:
    """Return the answers per second of processor time, and the outcome."""
    with busy_socket(server):
        cpu = server.cpu()
        outcome = await send_all(server.port, request, seconds, CONNECTIONS)
        spent = max(server.cpu() - cpu, 1 / TICK)
    if outcome.failures:
        sys.exit(
            f"error: {server.kind.name}: {outcome.failures} of {request.data[:60]!r} were answered "
            f"by {outcome.others}, not {request.status}"
        )
    return outcome.answers / spent, outcome


def print_table(header: list[str], rows: list[list[str]]) -> None:
    print("|".join(["", *header, ""]))
    print("|".join(["", "---", *["---:"] * (len(header) - 1), ""]))
    for row in rows:
        print("|".join(["", *row, ""]))
    print()


async def compare_costs(
    servers: list[Server], requests: dict[str, Request], options: argparse.Namespace
) -> dict[str, float]:
    """Print what pages cost, and return how many answers a second the first server gave."""
    rows: list[list[str]] = []
    most: dict[str, float] = {}
    for page, request in requests.items():
        serving = [server for server in servers if server.kind.serves(page)]
        ratios: dict[str, list[float]] = {server.kind.name: [] for server in serving}
        costs: list[float] = []
        for number in range(options.rounds + 1):
            measured = {s.kind.name: await measure(s, request, options.seconds) for s in serving}
            rate, outcome = measured[FIRST]
            most[page] = outcome.answers / outcome.seconds
            if number:  # the first round fills caches
                costs.append(1000 / rate)
                for name, (own, _) in measured.items():
                    ratios[name].append(own / rate)
        cells = {name: f"{statistics.median(values):.2f}" for name, values in ratios.items()}
        rows.append([page, f"{statistics.median(costs):.2f}"])
        rows[-1] += [cells.get(server.kind.name, "") for server in servers]
    print("Answers per second of processor time, as a multiple of the first server's:\n")
    print_table(["page", "ms of the first", *(server.kind.name for server in servers)], rows)
    return most


async def compare_times(
    servers: list[Server],
    requests: dict[str, Request],
    most: dict[str, float],
    options: argparse.Namespace,
) -> None:
    """Print how long answers take at half of what the first server can do."""
    rows: list[list[str]] = []
    for page in ("home", "article, signed in"):
        serving = [server for server in servers if server.kind.serves(page)]
        times: dict[str, list[float]] = {server.kind.name: [] for server in serving}
        for _ in range(options.rounds):
            for server in serving:
                outcome = await send_all(
                    server.port, requests[page], 2 * options.seconds, AT_ONCE, most[page] / 2
                )
                times[server.kind.name] += outcome.times
        for name, seconds in times.items():
            cuts = statistics.quantiles(seconds, n=100)
            rows.append([page, name, f"{1000 * cuts[49]:.1f}", f"{1000 * cuts[98]:.1f}"])
    print("Milliseconds until an answer at the same load, half of the most of the first server:\n")
    print_table(["page", "server", "p50", "p99"], rows)


async def compare(
    servers: list[Server], requests: dict[str, Request], options: argparse.Namespace
) -> None:
    most = await compare_costs(servers, requests, options)
    if not options.short:
        await compare_times(servers, requests, most, options)


def run(options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        install(temporary / "rivals", *RIVALS)
        # For the client only, which must not hold up the servers.
        install(temporary / "client", "uvloop")
        sys.path.append(str(temporary / "client"))
        uvloop = importlib.import_module("uvloop")
        database = stack.enter_context(throwaway_postgres(ROOT / ".data"))
        valkey = stack.enter_context(throwaway_valkey())
        checkouts = {OURS: ROOT} | ({EARLIER: Path(options.base)} if options.base else {})
        kinds = {
            OURS: [KINDS[0], KINDS[-1]] if options.short else KINDS,
            EARLIER: [gunicorn(EARLIER, 2)],
        }
        servers: list[Server] = []
        requests: dict[str, Request] = {}
        for number, (name, checkout) in enumerate(checkouts.items()):
            folder = temporary / str(number)
            assemble(checkout, folder)
            url = f"{database.rsplit('/', 1)[0]}/benchmark{number}"
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE benchmark{number}")
            values = environment(folder, url, valkey.replace("/0", ""))

            manage = partial(run_command, folder / "project", values)
            manage("collectstatic", "--noinput", "--verbosity=0")
            manage("migrate", "--verbosity=0")
            seed = json.loads(manage("shell", "--no-imports", "--command", SEED).splitlines()[-1])
            requests = requests or pages(seed, find_asset(folder))
            for kind in kinds[name]:
                log = temporary / f"{len(servers)}.log"
                server = Server(kind, folder / "project", values, log)
                stack.callback(server.stop)
                servers.append(server)
                began = uvloop.run(server.wait(requests["text"]))
                print(f"{kind.name}: {began:.2f} s to the first page", file=sys.stderr)
        uvloop.run(compare(servers, requests, options))
        print("Memory after all of this (PSS), in MiB:\n")
        print_table(["server", "MiB"], [[s.kind.name, f"{s.memory():.0f}"] for s in servers])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each page on each server")
    parser.add_argument("--base", help="a checkout of an earlier state, with its front end built")
    parser.add_argument("--short", action="store_true", help="a few pages on two servers")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
