"""Traffic that counts each answer, and repeats no request."""

import re
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPMessage
from itertools import count
from urllib.parse import urlencode

TIMEOUT = 60  # seconds for an answer from a busy machine
HIDDEN = re.compile(r'<input type="hidden" name="([\w-]{1,50})" value="([^"]{0,500})"')


class FailedError(Exception):
    """A request has failed, and is counted, so that the others of a visit make no sense."""


class Traffic:
    """Visitors who make requests until they are told to end.

    Attributes:
        answers: the number of right answers, by the name of the request.
        failures: what went wrong, by the name of the request and what that was.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        """Create traffic without visitors.

        Args:
            port: of the balancer on 127.0.0.1.
            headers: of each request, as a proxy sends them.
        """
        self.port = port
        self.headers = headers
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._may_end = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(
        self, visit: Callable[["Visitor"], None], *, keep_alive: bool = True, number: int = 1
    ) -> None:
        """Let some visitors do something again and again.

        Args:
            visit: makes the requests of one visit.
            keep_alive: whether each keeps its connection.
            number: how many.
        """
        for _ in range(number):
            visitor = Visitor(self, keep_alive=keep_alive)
            thread = threading.Thread(target=self._repeat, args=(visit, visitor))
            self._threads.append(thread)
            thread.start()

    def count(self, name: str, failure: str = "") -> None:
        with self._lock:
            if failure:
                self.failures[f"{name}: {failure}"] += 1
            else:
                self.answers[name] += 1

    def total(self) -> int:
        with self._lock:
            return self.answers.total() + self.failures.total()

    def end(self) -> None:
        self._may_end.set()
        for thread in self._threads:
            thread.join(TIMEOUT * 3)
            assert not thread.is_alive()

    @contextmanager
    def running(self) -> Iterator["Traffic"]:
        """Let it end with the context."""
        try:
            yield self
        finally:
            self.end()

    def _repeat(self, visit: Callable[["Visitor"], None], visitor: "Visitor") -> None:
        while not self._may_end.is_set():
            try:
                visit(visitor)
            except FailedError:
                self._may_end.wait(0.05)  # so that a site that is down is not flooded
        visitor.client.close()


class Visitor:
    """One client, with the cookies of a browser."""

    def __init__(self, traffic: Traffic, *, keep_alive: bool = True) -> None:
        self.traffic = traffic
        self.keep_alive = keep_alive
        self.client = HTTPConnection("127.0.0.1", traffic.port, timeout=TIMEOUT)
        self.cookies: dict[str, str] = {}

    def get(self, path: str, name: str = "", status: int = 200) -> str:
        """Return the text of a page.

        Raises:
            FailedError: it has another status, or there is none.
        """
        return self._request("GET", path, name or f"GET {path}", {status})[1]

    def post(self, path: str, body: str) -> str:
        """Send something, and return the answer.

        Raises:
            FailedError: as for `get`.
        """
        return self._request("POST", path, f"POST {path}", {200}, body)[1]

    def submit(self, path: str, values: dict[str, str], name: str = "", page: str = "") -> str:
        """Open the page of a form, send it, and return where that leads to.

        Args:
            path: where it is sent to.
            values: of its fields.
            name: of the request.
            page: where it is, unless that is the same path.

        Raises:
            FailedError: one of the two requests has failed.
        """
        name = name or path
        hidden = dict(HIDDEN.findall(self.get(page or path, f"GET {name}")))
        body = urlencode(hidden | values)
        message, _ = self._request("POST", path, f"POST {name}", {302, 303}, body)
        return message["Location"]

    def _request(
        self, method: str, path: str, name: str, statuses: set[int], body: str | None = None
    ) -> tuple[HTTPMessage, str]:
        origin = f"https://{self.traffic.headers['Host']}"
        headers = {**self.traffic.headers, "Origin": origin, "Referer": f"{origin}{path}"}
        headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if not self.keep_alive:
            headers["Connection"] = "close"
        self._drop_closed()
        try:
            self.client.request(method, path, body, headers)
            answer = self.client.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException) as error:
            self.client.close()
            self.traffic.count(name, repr(error))
            raise FailedError from error
        if answer.status not in statuses:
            self.traffic.count(name, str(answer.status))
            raise FailedError
        self._keep_cookies(answer.headers)
        self.traffic.count(name)
        return answer.headers, text

    def _drop_closed(self) -> None:
        """Open another connection if the server has closed this one, as each proxy does."""
        if self.client.sock and select.select([self.client.sock], [], [], 0)[0]:
            self.client.close()

    def _keep_cookies(self, headers: HTTPMessage) -> None:
        for cookie in headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value


_numbers = count()


def read(visitor: Visitor) -> None:
    """Read what anyone may."""
    for _ in range(5):  # pages, most of which are kept, take little time: there are to be many
        visitor.get("/")
        visitor.get("/articles/")
    visitor.get("/articles/?q=oak", "GET search")
    visitor.get("/api/v1/articles/", "GET api")
    visitor.get("/api/v1/search/articles/?q=oak", "GET api search")


def write(people: list[str], password: str) -> Callable[[Visitor], None]:
    """Return a visit: sign in, write, publish and edit an article, comment, export, sign out.

    Args:
        people: who does, one after the other, so that none reaches the limits of a person.
        password: of all of them.
    """

    def visit(visitor: Visitor) -> None:
        visitor.cookies.clear()
        number = next(_numbers)
        sign_in = {"login": people[number % len(people)], "password": password}
        visitor.submit("/accounts/login/", sign_in)
        values = {
            "title": f"Oak number {number}",
            "summary": "Written during a release.",
            "category": "engineering",
            "body": "Wood holds wood.",
        }
        article = visitor.submit("/articles/new/", values)
        visitor.submit(f"{article}publication/", {}, "publication", page=article)
        visitor.submit(f"{article}edit/", values | {"body": "It still does."}, "edit")
        visitor.submit(f"{article}comments/", {"body": "True."}, "comments", page=article)
        assert "True." in visitor.get(f"{article}comments/", "GET comments")
        visitor.get("/articles/export/", "GET export (a stream)")
        visitor.submit("/accounts/logout/", {})

    return visit
