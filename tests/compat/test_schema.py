"""Figure S6: thousands of requests made up from our own description of the API; none brings the server to a 5xx."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="`nox -s compat` installs it")
