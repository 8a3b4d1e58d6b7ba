"""The API's documentation as one plain page: no scripts, nothing fetched from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>
<h1>{title}</h1>
<p>{summary} Every request carries <code>Authorization: Bearer KEY</code>. The whole description, field by field, is at
<a href="/openapi.json">/openapi.json</a>.</p>
<table><thead><tr><th>Request</th><th>What it does</th><th>Parameters</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def add_documentation(app: FastAPI) -> None:
    """Add `/docs`."""

    @app.get("/docs", tags=["server"], response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        """This page."""
        description = app.openapi()
        rows = [
            describe(method, path, operation)
            for path, operations in description["paths"].items()
            for method, operation in operations.items()
        ]
        page = PAGE.format(title=escape(app.title), summary=escape(app.summary or ""), rows="\n".join(rows))
        return HTMLResponse(page)


def describe(method: str, path: str, operation: dict[str, Any]) -> str:
    """One row: a request, its meaning, and its parameters."""
    names = [parameter["name"] for parameter in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {})
    kinds = [schema["schema"].get("$ref", "").rpartition("/")[2] or kind for kind, schema in body.items()]
    cells = (f"{method.upper()} {path}", operation.get("description", ""), ", ".join([*names, *kinds]))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
