"""A server from its start to its end."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout

from mistraltune.errors import ConfigError, LockedError
from mistraltune.publishing import check_writable
from mistraltune.results import ModelRef
from mistraltune.serve.app import create_app, open_server
from mistraltune.serve.connections import protocol_with_limit
from mistraltune.settings import ServerSettings

GRACE_SECONDS = 3
"""How long open requests may take to end when the server stops."""

MAX_CONNECTIONS = 256
"""Open at a time; one more is answered 503."""


def run_server(  # noqa: PLR0913 - options by name
    settings: ServerSettings,
    data_dir: Path,
    catalogue: Mapping[str, ModelRef],
    *,
    allowed_hosts: Sequence[str],
    runs_dirs: Sequence[Path],
    max_parallel_jobs: int,
    keep_loaded: bool,
    opens_browser: bool,
    tell: Callable[[str], None],
) -> None:
    """Serve until a signal comes; then stop within 15 seconds.

    Raises:
        ConfigError: The address cannot be used, or the index is damaged.
        LockedError: Another server has the data directory.
    """
    if not is_loopback(settings.host) and settings.key is None:
        raise ConfigError(
            f"--host {settings.host} can be reached by others, and no key of your own is set",
            hint="set MISTRALTUNE_SERVER_KEY in the environment or in .env",
        )
    check_writable(data_dir, option="--data-dir")
    with locked(data_dir), closing(listen(settings)) as listener:
        key = settings.key.get_secret_value() if settings.key else secrets.token_urlsafe(32)
        server = open_server(
            data_dir,
            settings,
            catalogue,
            runs_dirs=runs_dirs,
            max_parallel_jobs=max_parallel_jobs,
            keep_loaded=keep_loaded,
        )
        app = create_app(server, key=key, hosts=[*allowed_hosts, *named_by(settings.host)])
        port = listener.getsockname()[1]
        tell(f"serving {data_dir} at http://{in_url(settings.host)}:{port}")
        tell("the key is that of MISTRALTUNE_SERVER_KEY" if settings.key else f"key: {key}")
        address = f"http://{reachable(settings.host)}:{port}"
        server.sessions.note_address(address)
        link = server.sessions.make_link(address)
        tell(f"console: {link} (opens once, within 10 minutes; `mistraltune serve link` prints another)")
        if opens_browser:
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        config = uvicorn.Config(
            app,
            loop="asyncio",  # not uvloop, where another package brought it: one loop is tested
            http=protocol_with_limit(settings.head_seconds),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=MAX_CONNECTIONS,
            ws="websockets-sansio",
            ws_max_size=4096,
            ws_per_message_deflate=False,
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            server.sessions.forget_address()


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for one server.

    Raises:
        LockedError: Another one has it.
    """
    lock = FileLock(data_dir / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"another server works on {data_dir}", hint="stop it first, or choose another --data-dir"
        ) from None
    try:
        yield
    finally:
        lock.release()


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: The address is no address here, or is in use.
    """
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {settings.host}: {error.strerror or error}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", hint="choose another --port"
        ) from error
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def named_by(host: str) -> list[str]:
    """The Host name that clients use for an address, unless it stands for all addresses."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return [host]
    return [] if address.is_unspecified else [in_url(str(address))]


def reachable(host: str) -> str:
    """A name by which this machine reaches an address of its own, as it stands in a URL."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return in_url(str(address))


def in_url(host: str) -> str:
    """An address as it stands in a URL."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
