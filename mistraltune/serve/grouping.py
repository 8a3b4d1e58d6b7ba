"""The fields of uploaded rows by which figures can be told apart, for who chooses them and for who has chosen."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.lines import display_name
from mistraltune.errors import ConfigError
from mistraltune.evaluation.slicing import group_rows, grouping_fields
from mistraltune.results import Result
from mistraltune.serve.evaluation_requests import AnswerRequest
from mistraltune.serve.files import Files
from mistraltune.serve.records import FileRecord
from mistraltune.serve.refusals import Refusal, problem
from mistraltune.serve.studies import Studies


class GroupingField(Result):
    """A field of the rows of a file."""

    name: str
    num_groups: int
    """Groups of rows that have the same value there."""


class FieldsReply(Result):
    """The fields by which the rows of a file can be grouped."""

    file_id: str
    num_rows: int
    fields: list[GroupingField]
    """In the order of the rows; texts that differ from row to row make no groups, and are not among them."""


class Grouping:
    """Finds out by what the rows of files can be grouped.

    Args:
        files: The files.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self._studies = Studies()

    def fields(self, file: FileRecord) -> FieldsReply:
        """The fields of a file's rows that make groups."""
        return self._studies.get(file.id, lambda: self.find_fields(file))

    def find_fields(self, file: FileRecord) -> FieldsReply:
        """Read all rows of a file."""
        rows = self.open(file)
        fields = [GroupingField(name=name, num_groups=count) for name, count in grouping_fields(rows).items()]
        return FieldsReply(file_id=file.id, num_rows=len(rows), fields=fields)

    def require(self, file: FileRecord, request: AnswerRequest) -> None:
        """Make sure that the rows can be grouped by the fields that a request names.

        Raises:
            Refusal: 422, by one of them they cannot.
        """
        if not request.by:
            return
        rows = self.open(file)
        for place, field in enumerate(request.by):
            try:
                group_rows(rows, field, min(len(rows), request.limit or len(rows)))
            except ConfigError as error:
                words = f"{error.message}; {error.hint}"
                words = words.replace(display_name(rows.path), display_name(Path(file.filename)))
                raise Refusal(422, f"by: {words}", details=[problem("no_groups", words, "by", place)]) from error

    def open(self, file: FileRecord) -> ConversationFile:
        """The rows of a file, which were checked when it came."""
        return ConversationFile.open(self.files.path(file.id), check=False)


def grouping_routes(grouping: Grouping) -> APIRouter:
    """`/api/files/{file_id}/fields`."""
    routes = APIRouter(prefix="/api/files/{file_id}", tags=["datasets"])

    @routes.get("/fields")
    def fields(file_id: str) -> FieldsReply:
        """The fields by which an evaluation or a comparison can group a file's rows."""
        return grouping.fields(grouping.files.find(file_id))

    return routes
