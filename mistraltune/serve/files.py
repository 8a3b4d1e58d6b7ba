"""Uploaded files: checked by our own reader when they come, kept under ids that the server makes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, Literal
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from mistraltune.data.validating import RowFingerprints, check_file
from mistraltune.publishing import discard, naming_failed_writes, publish_dir, publish_text
from mistraltune.serve.paging import Page, PageSize, on_page
from mistraltune.serve.parts import Part
from mistraltune.serve.records import FileRecord
from mistraltune.serve.refusals import Refusal, problem, unknown
from mistraltune.serve.store import Store, now
from mistraltune.serve.uploads import Upload, receive_upload
from mistraltune.settings import ServerSettings

CONTENT = "content.jsonl"

UPLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "Rows, JSON Lines."},
                        "purpose": {"type": "string", "enum": ["fine-tune"], "default": "fine-tune"},
                    },
                }
            }
        },
    }
}


class FileReply(TypedDict):
    """A file as clients old and new read it."""

    id: str
    object: Literal["file"]
    bytes: int
    size_bytes: int
    created_at: int
    filename: str
    purpose: Literal["fine-tune"]
    sample_type: Literal["instruct"]
    source: Literal["upload"]
    num_lines: int
    mimetype: str | None
    signature: str
    deleted: Literal[False]


class FileList(TypedDict):
    """Files, newest first."""

    object: Literal["list"]
    data: list[FileReply]
    total: int | None


class FileAddress(TypedDict):
    """Where a file's content is."""

    url: str


class FileDeleted(TypedDict):
    """A file that is gone."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class Files:
    """The files of a data directory.

    Args:
        store: Their index.
        folder: Holds a folder for each: the content, and a copy of its row.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def path(self, file_id: str) -> Path:
        """The content of a file that the index knows."""
        return self.folder / file_id / CONTENT

    def find(self, file_id: str) -> FileRecord:
        """The file of that id.

        Raises:
            Refusal: 404.
        """
        record = self.store.find_file(file_id)
        if record is None:
            raise unknown("file", file_id)
        return record

    def keep(self, upload: Upload) -> FileRecord:
        """The upload as a file; the one that is here already, where name and content are the same.

        Raises:
            Refusal: 422, with every row that is wrong.
        """
        purpose = upload.fields.get("purpose") or "fine-tune"
        if purpose != "fine-tune":
            raise Refusal(422, f"files are for fine-tuning here, not for {purpose[:50]!r}: send purpose=fine-tune")
        if upload.fields.get("expiry"):
            raise Refusal(422, "files stay here until they are deleted: leave out `expiry`")
        if known := self.store.find_same_file(upload.filename, upload.sha256):
            return known
        record = FileRecord(
            id=str(uuid4()),
            created_at=now(),
            filename=upload.filename,
            num_bytes=upload.num_bytes,
            sha256=upload.sha256,
            num_lines=count_sound_rows(upload),
            mimetype=upload.mimetype,
        )
        with publish_dir(self.folder / record.id) as staging:
            upload.path.rename(staging / CONTENT)
            publish_text(staging / "file.json", record.model_dump_json(indent=2) + "\n")
        try:
            self.store.add_file(record)
        except BaseException:
            shutil.rmtree(self.folder / record.id, ignore_errors=True)
            raise
        return record

    def join(self, file_ids: Sequence[str], target: Path) -> list[Part]:
        """Copy one file after the other to `target`, each ended by a line end.

        Returns:
            What `target` is made of.

        Raises:
            Refusal: 422, one was deleted meanwhile.
        """
        parts = []
        with naming_failed_writes(target), target.open("wb") as joined:
            for file_id in file_ids:
                record = self.store.find_file(file_id)
                with self.open_content(file_id) as file:
                    num_lines, line = 0, b""
                    for line in file:
                        joined.write(line)
                        num_lines += 1
                if not line.endswith(b"\n"):
                    joined.write(b"\n")
                parts.append(Part(record.filename if record else file_id, num_lines))
        return parts

    def open_content(self, file_id: str) -> BinaryIO:
        """The content of a file, open.

        Raises:
            Refusal: 422, it was deleted meanwhile.
        """
        try:
            return self.path(file_id).open("rb")
        except FileNotFoundError:
            raise Refusal(422, f"there is no file {file_id} any more") from None

    def delete(self, file_id: str) -> None:
        """Forget a file; jobs keep the copy that they were made with.

        Raises:
            Refusal: 404.
        """
        self.find(file_id)
        self.store.forget_file(file_id)
        discard(self.folder / file_id)


def count_sound_rows(upload: Upload) -> int:
    """The rows of a file without errors.

    Raises:
        Refusal: 422, with every error by line, as far as a check keeps them.
    """
    report = check_file(upload.path, RowFingerprints())
    errors = report.findings.errors
    if not errors:
        return report.num_rows
    first = f"line {errors[0].line}: {errors[0].message}" + (f"; {errors[0].hint}" if errors[0].hint else "")
    details = [problem(error.rule, error.message, "file", error.line, hint=error.hint) for error in errors]
    raise Refusal(422, f"{report.findings.num_errors:,} errors in the file; {first}", details=details)


def reply(record: FileRecord) -> FileReply:
    """A file as clients old and new read it."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.num_bytes,
        "size_bytes": record.num_bytes,
        "created_at": record.created_at,
        "filename": record.filename,
        "purpose": "fine-tune",
        "sample_type": "instruct",
        "source": "upload",
        "num_lines": record.num_lines,
        "mimetype": record.mimetype or None,
        "signature": record.sha256,
        "deleted": False,
    }


def file_routes(files: Files, settings: ServerSettings) -> APIRouter:
    """`/v1/files`."""
    routes = APIRouter(prefix="/v1/files", tags=["files"])

    @routes.post("", openapi_extra=UPLOAD_FORM)
    async def upload(request: Request) -> FileReply:
        """Upload rows, JSON Lines; the same name and content again is the same file."""
        async with receive_upload(request, folder=files.folder, settings=settings) as uploaded:
            return reply(await run_in_threadpool(files.keep, uploaded))

    @routes.get("")
    def list_files(  # noqa: PLR0913, PLR0917 - the wire's filters
        page: Page = 0,
        page_size: PageSize = 100,
        include_total: bool = True,
        sample_type: Annotated[list[str] | None, Query()] = None,
        source: Annotated[list[str] | None, Query()] = None,
        search: str | None = None,
        purpose: str | None = None,
        mimetypes: Annotated[list[str] | None, Query()] = None,
    ) -> FileList:
        """The files, newest first."""
        found = [
            file
            for file in map(reply, files.store.files())
            if (not sample_type or file["sample_type"] in sample_type)
            and (not source or file["source"] in source)
            and (not search or search.lower() in file["filename"].lower())
            and (not purpose or file["purpose"] == purpose)
            and (not mimetypes or file["mimetype"] in mimetypes)
        ]
        data = on_page(found, page, page_size)
        return {"object": "list", "data": data, "total": len(found) if include_total else None}

    @routes.get("/{file_id}")
    def retrieve(file_id: str) -> FileReply:
        """One file's facts."""
        return reply(files.find(file_id))

    @routes.get("/{file_id}/content", response_class=FileResponse)
    def content(file_id: str) -> Response:
        """The file as it came."""
        record = files.find(file_id)
        headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(record.filename, safe='')}"}
        return FileResponse(files.path(file_id), media_type="application/octet-stream", headers=headers)

    @routes.get("/{file_id}/url")
    def url(file_id: str, request: Request) -> FileAddress:
        """Where the content is; fetching it takes the key, as everything here does."""
        files.find(file_id)
        return {"url": str(request.url.replace(path=f"/v1/files/{file_id}/content", query=""))}

    @routes.delete("/{file_id}")
    def delete(file_id: str) -> FileDeleted:
        """Delete a file."""
        files.delete(file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    return routes
