"""Files: uploads counted and checked, kept under our own ids, told as clients old and new read them (S2, S3)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from serving import KEY, Serving, rows, serving

LIMIT = 200_000

HOSTILE_NAMES = [
    *(
        "../../x",
        "..\\..\\x",
        "/etc/passwd",
        "C:\\x",
        "%2e%2e%2f",
        "%252e%252e",
        "a\0.jsonl",
        "CON",
        ".env",
        "x" * 4000,
    ),
    *(
        "train.jsonl\r\nX-Evil: 1",
        "<img onerror=alert(1)>",
        "' OR 1=1 --",
        "\u202etxt",
        "日本.jsonl",
        "..",
        ".",
        "-rf",
        "\ud7ff",
    ),
]
HOSTILE_IDS = [
    *("..%2f1", "1 OR 1=1", "1;DROP TABLE files", str(2**63), "-1", "NaN", "٣", "%00", "a" * 3000, "..%5c..%5cx"),
    *("%252e%252e", "content.jsonl", "'", '"', "*", "%", "_", "null", "0x0", "{}", "[]", "\\", "..;", "~root"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    limits = {"MISTRALTUNE_SERVER_MAX_FILE_BYTES": str(LIMIT), "MISTRALTUNE_SERVER_BODY_SECONDS": "1"}
    with serving(tmp_path_factory.mktemp("files") / "data", env=limits) as running:
        yield running


def stored(server: Serving) -> list[Path]:
    return sorted(path.relative_to(server.data_dir) for path in server.data_dir.glob("files/**/*"))


def form(name: str, content: bytes, boundary: str = "edge") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return head + content + f"\r\n--{boundary}--\r\n".encode()


FORM_TYPE = {"content-type": "multipart/form-data; boundary=edge"}


def test_a_file_comes_back_as_it_went(server: Serving) -> None:
    content = rows(4, word="\u2028 ünï")
    file_id = server.upload(content, "round.jsonl")
    facts = server.ok("GET", f"/v1/files/{file_id}")
    assert facts["bytes"] == facts["size_bytes"] == len(content)
    assert (facts["num_lines"], facts["filename"], facts["sample_type"]) == (4, "round.jsonl", "instruct")
    answer = server.http.get(f"/v1/files/{file_id}/content")
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment")
    url = server.ok("GET", f"/v1/files/{file_id}/url")["url"]
    assert KEY not in url
    assert server.http.get(url).content == content


def test_the_same_file_again_is_the_same_file(server: Serving) -> None:
    first = server.upload(rows(5), "same.jsonl")
    assert server.upload(rows(5), "same.jsonl") == first
    assert server.upload(rows(5), "../data/same.jsonl") == first  # where it lies on the client's machine is no name
    assert server.upload(rows(5), "other.jsonl") != first
    assert server.upload(rows(6), "same.jsonl") != first


def test_lists_are_newest_first_filtered_and_paged(server: Serving) -> None:
    ids = [server.upload(rows(2, word=f"Listed {n}"), f"listed-{n}.jsonl") for n in range(3)]
    found = server.ok("GET", "/v1/files", params={"search": "LISTED-"})
    assert ([file["id"] for file in found["data"]], found["total"]) == (ids[::-1], 3)
    page = server.ok(
        "GET", "/v1/files", params={"search": "listed-", "page": 1, "page_size": 2, "include_total": False}
    )
    assert ([file["id"] for file in page["data"]], page["total"]) == (ids[:1], None)
    assert server.ok("GET", "/v1/files", params={"sample_type": "pretrain"})["data"] == []


def test_a_deleted_file_is_gone(server: Serving) -> None:
    file_id = server.upload(rows(2, word="Gone"), "gone.jsonl")
    assert server.ok("DELETE", f"/v1/files/{file_id}") == {"id": file_id, "object": "file", "deleted": True}
    assert server.http.get(f"/v1/files/{file_id}").status_code == 404
    assert server.http.delete(f"/v1/files/{file_id}").status_code == 404
    assert not (server.data_dir / "files" / file_id).exists()


def test_bad_rows_are_named_by_line_and_nothing_is_kept(server: Serving) -> None:
    before = stored(server)
    content = rows(2) + b'{"messages": [{"role": "robot", "content": "x"}]}\n' + rows(1) + b"{no json\n"
    answer = server.http.post("/v1/files", files={"file": ("bad.jsonl", content)}, data={"purpose": "fine-tune"})
    body = answer.json()
    assert (answer.status_code, body["object"]) == (422, "error")
    assert sorted({detail["loc"][2] for detail in body["detail"]}) == [3, 5]
    assert "line 3" in body["message"]
    assert stored(server) == before


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"PK\x03\x04zip", b"\x1f\x8bgz", b"\xff\xfe", b"[]", b"\x80\x04pickle", b"{}"]
)
def test_what_are_no_rows_is_refused(server: Serving, content: bytes) -> None:
    before = stored(server)
    answer = server.http.post("/v1/files", files={"file": ("x.jsonl", content)})
    assert answer.status_code == 422, answer.text
    assert stored(server) == before


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_only_a_text(server: Serving, name: str) -> None:
    answer = server.http.post("/v1/files", content=form(name, rows(2, word=repr(name))), headers=FORM_TYPE)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        file_id = answer.json()["id"]
        assert not {"/", "\\"} & set(answer.json()["filename"])
        assert answer.json()["filename"] not in (".", "..")
        assert (server.data_dir / "files" / file_id / "content.jsonl").is_file()
        assert server.http.get(f"/v1/files/{file_id}/content").status_code == 200
    outside = [path for path in server.data_dir.parent.rglob("*") if server.data_dir not in (path, *path.parents)]
    assert [path.name for path in outside] == ["data.log"]


@pytest.mark.parametrize("file_id", HOSTILE_IDS)
def test_an_id_that_is_none_is_not_found(server: Serving, file_id: str) -> None:
    before = stored(server)
    for path in (f"/v1/files/{file_id}", f"/v1/files/{file_id}/content", f"/v1/fine_tuning/jobs/{file_id}"):
        assert server.http.get(path).status_code == 404, path
    assert server.http.delete(f"/v1/files/{file_id}").status_code == 404
    assert stored(server) == before


# S3: the limit, whatever the headers say


def raw(server: Serving, head: str, *pieces: bytes, pause: float = 0) -> int:
    """The status of a request that is written byte by byte as given."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        start = f"POST /v1/files HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        connection.sendall(start.encode() + head.encode() + b"\r\n")
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # refused before it was all sent
        answer = connection.recv(65_536)
    return int(answer.split(b" ", 2)[1]) if answer else 0


TYPE = "Content-Type: multipart/form-data; boundary=edge\r\n"


def chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_file_of_just_the_limit_is_taken_and_a_byte_more_is_not(server: Serving) -> None:
    before = stored(server)
    row = rows(1)
    content = (row * (LIMIT // len(row)))[:-1]
    content += b" " * (LIMIT - len(content))
    assert server.http.post("/v1/files", files={"file": ("full.jsonl", content)}).status_code == 200
    assert server.http.post("/v1/files", files={"file": ("full.jsonl", content + b" ")}).status_code == 413
    assert len(stored(server)) == len(before) + 3


@pytest.mark.figure("S3", "uploads too long by header, by chunks, by lies, by parts: refused, nothing stays")
def test_no_upload_gets_past_the_limit_or_leaves_anything(server: Serving) -> None:
    before = stored(server)
    body = form("x.jsonl", rows(1) * (LIMIT // 50))
    pieces = [chunked(body[start : start + 10_000]) for start in range(0, len(body), 10_000)]
    assert raw(server, f"{TYPE}Content-Length: {len(body)}\r\n", body) == 413
    assert raw(server, f"{TYPE}Transfer-Encoding: chunked\r\n", *pieces) == 413
    assert raw(server, f"{TYPE}Content-Length: {10**15}\r\n", body[:1000]) == 413
    short = form("x.jsonl", rows(2))
    assert raw(server, f"{TYPE}Content-Length: {len(short) - 20}\r\n", short[:-20]) == 400
    assert raw(server, f"{TYPE}Content-Length: {len(short) + 20}\r\n", short, pause=0.2) in (0, 200, 408)
    parts = b"".join(b'--edge\r\nContent-Disposition: form-data; name="p%d"\r\n\r\nx\r\n' % n for n in range(10_000))
    assert raw(server, f"{TYPE}Transfer-Encoding: chunked\r\n", chunked(parts[:100_000]), b"0\r\n\r\n") == 413
    assert raw(server, "Content-Type: multipart/form-data\r\nContent-Length: 2\r\n", b"{}") == 400
    assert raw(server, "Content-Type: application/json\r\nContent-Length: 2\r\n", b"{}") == 415
    after = [path for path in stored(server) if path not in before]
    assert [path for path in after if path.name.endswith(".tmp")] == []
    assert len(after) <= 3  # the padded one may have been taken


@pytest.mark.figure("S3", "an upload that drips: 408, others answered meanwhile")
def test_a_slow_upload_is_ended_and_keeps_nobody_waiting(server: Serving) -> None:
    statuses: list[int] = []

    def drip() -> None:
        head = f"{TYPE}Content-Length: 100000\r\n"
        statuses.append(raw(server, head, form("x", b"")[:60], b"-", pause=1.5))

    thread = threading.Thread(target=drip)
    thread.start()
    num_answered = 0
    while thread.is_alive():
        server.ok("GET", "/v1/models")
        num_answered += 1
    assert statuses == [408]
    assert num_answered > 3


@pytest.mark.figure("S3", "an upload of 90 MB: less than 64 MiB of memory")
def test_large_uploads_take_no_memory(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        server.upload(rows(2))
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        row = json.dumps({"instruction": "x" * 5000, "output": "y"}).encode()
        body = b"".join(b'{"instruction": "%d' % number + row[17:] + b"\n" for number in range(20_000))
        assert len(body) > 90 * 2**20
        server.upload(body, "large.jsonl")
        assert process.memory_info().rss - before < 64 * 2**20


def test_other_bodies_are_counted_and_strict(server: Serving) -> None:
    def post(content: bytes, kind: str = "application/json") -> int:
        return server.http.post("/v1/fine_tuning/jobs", content=content, headers={"content-type": kind}).status_code

    assert post(b'{"model": "' + b"x" * 9 * 2**20 + b'"}') == 413
    assert post(b"[" * 100_000 + b"]" * 100_000) == 422
    assert post(b'{"model": "a", "model": "b"}') == 422
    assert post(b'{"model": NaN}') == 422
    assert post(b'{"model": "\\ud800"}') == 422
    assert post(b"\xff\xfe") == 422
    assert post(b"{}", "text/plain") == 422
    assert post(b"model=x", "application/x-www-form-urlencoded") == 422
