"""`horae serve`: a run over HTTP, on this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.output import say, show_json
from horae.cli.verb import verb
from horae.errors import MissingExtraError, StoreError

__all__ = ["EXAMPLES", "serve"]

EXAMPLES = """\b
Examples:
  horae serve runs/first
  horae serve runs/first --port 9000 --store shop.sqlite
"""


@verb
def serve(
    run: o.Run,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where events are kept. [default: RUN.events.sqlite]", show_default=False),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute an answer.")] = 1,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Listen beyond this machine. There are no passwords.", show_default=False),
    ] = False,
    json_: o.Json = False,
) -> None:
    """Answer over HTTP: lists out, events in."""
    if not _is_loopback(host) and not allow_remote:
        raise typer.BadParameter(
            f"{host} can be reached from other machines, and the service has no passwords. Add --allow-remote if that "
            "is what you want.",
            param_hint="--host",
        )
    uvicorn = _uvicorn()
    import torch

    from horae.data.store import EventStore
    from horae.recommend.run import load
    from horae.serve import create_app
    from horae.serve.gate import LOOPBACK

    torch.set_num_threads(threads)
    recommender = load(run)
    with _listening(host, port) as listener, contextlib.closing(EventStore(store or _beside(run))) as events:
        app = create_app(recommender, events, run=str(run), hosts=None if allow_remote else {*LOOPBACK, host})
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        _announce(recommender, run, address, events.path, json_)
        settings = uvicorn.Config(app, log_level="warning", access_log=False)
        with contextlib.suppress(KeyboardInterrupt):  # the usual way to stop a service
            uvicorn.Server(settings).run(sockets=[listener])
    say("Stopped; what was accepted is kept.")


def _announce(recommender: Any, run: Path, address: str, store: Path, json_: bool) -> None:
    users, items = recommender.sequences.users, recommender.items
    asks = f'"user_id": "{users.all[0]}"' if len(users) else f'"history": [{{"item_id": "{items.all[0]}"}}]'
    if json_:
        show_json({"run": str(run), "address": address, "store": str(store)})
    say(f"Serving {run} at {address} (Ctrl-C stops; events are kept in {store})")
    say(f"  page of the API  {address}/docs")
    say(f"  try it           curl -s {address}/v1/recommendations \\")
    say(f"                     -H 'content-type: application/json' -d '{{{asks}, \"k\": 5}}'")


def _beside(run: Path) -> Path:
    """Not in the run folder: that is replaced as a whole."""
    folder = run.resolve()
    return folder.parent / f"{folder.name}.events.sqlite"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(
            "Serving needs uvicorn, which is not installed.", hint="pip install 'horae[serve]'"
        ) from error
    return uvicorn


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket, so that an occupied port is said before the run is served."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StoreError(f"There is no address {host}: {error.strerror}.", hint="Give --host 127.0.0.1.") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen()
        except OSError as error:
            why = f"Cannot listen on {host}:{port}: {error.strerror}."
            raise StoreError(why, hint="Choose another --port.") from error
        yield listener
