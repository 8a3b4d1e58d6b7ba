"""What a refused request is told in one line: each field with its own reason, in the words of the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from serving import KEY
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from mistraltune.serve.app import create_app, open_server
from mistraltune.serve.catalogue import make_catalogue
from mistraltune.serve.refusals import Refusal
from mistraltune.settings import ServerSettings

JOBS = "/v1/fine_tuning/jobs"
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Without a lifespan: nothing is trained."""
    server = open_server(tmp_path_factory.mktemp("refusals"), ServerSettings(), make_catalogue())
    headers = {"Authorization": f"Bearer {KEY}"}
    yield TestClient(create_app(server, key=KEY), base_url="http://localhost:8000", headers=headers)
    server.store.close()


def refused(client: TestClient, place: str, **body: Any) -> dict[str, Any]:
    answer = client.post(place, json=body)
    assert answer.status_code == 422
    reply: dict[str, Any] = answer.json()
    return reply


def test_each_field_has_its_own_reason(client: TestClient) -> None:
    wrong = {"training_steps": -3, "learning_rate": "x"}
    told = refused(client, JOBS, model="open-mistral-7b", training_files=["x"], hyperparameters=wrong)
    assert told["message"] == (
        "hyperparameters.training_steps: Input should be greater than or equal to 1; "
        "hyperparameters.learning_rate: Input should be a valid number, unable to parse string as a number"
    )
    assert [each["loc"][-1] for each in told["detail"]] == ["training_steps", "learning_rate"]


def test_the_first_three_are_told_and_the_others_counted(client: TestClient) -> None:
    wrong = {"training_steps": -3, "learning_rate": "x", "weight_decay": 2, "epochs": 0, "seq_len": 1}
    told = refused(client, JOBS, model="open-mistral-7b", training_files=["x"], hyperparameters=wrong)
    assert told["message"].count("hyperparameters.") == 3
    assert told["message"].endswith("; and 2 more")
    assert len(told["detail"]) == 5


def test_a_wrong_role_is_one_problem(client: TestClient) -> None:
    told = refused(client, CHAT, model="quickstart", messages=[{"role": "robot", "content": "hello"}])
    assert [each["loc"] for each in told["detail"]] == [["body", "messages", 0, "role"]]
    assert told["message"].startswith("messages.0.role: Input should be 'system'")
    assert refused(client, CHAT, model="quickstart", messages=[])["detail"][0]["type"] == "too_short"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "text"}], "messages.0.content.0.text: Field required"),
        ([{"type": "audio", "text": "x"}], "messages.0.content.0.type: Input should be 'text'"),
        (5, "messages.0.content: Input should be a valid string, or: Input should be a valid tuple"),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            "messages.0.content: images are not supported; send text alone",
        ),
    ],
)
def test_places_are_named_without_pythons_types(client: TestClient, content: Any, message: str) -> None:
    told = refused(client, CHAT, model="quickstart", messages=[{"role": "user", "content": content}])
    assert told["message"] == message


def test_a_stop_text_of_the_wrong_kind_is_named_so(client: TestClient) -> None:
    told = refused(client, CHAT, model="quickstart", messages=[{"role": "user", "content": "x"}], stop=[""])
    assert told["message"] == "stop.0: String should have at least 1 character"


@pytest.mark.parametrize(
    ("after", "key", "status", "message"),
    [
        ("0", "wrong", 401, "the key is missing or wrong"),
        ("0", KEY, 404, "there is no job nowhere"),
        ("-1", KEY, 422, "after: Input should be greater than or equal to 0"),
    ],
)
def test_a_websocket_is_refused_in_the_words_of_http(
    client: TestClient, after: str, key: str, status: int, message: str
) -> None:
    headers = {"Authorization": f"Bearer {key}", "Host": "localhost:8000"}
    place = f"{JOBS}/nowhere/events/ws?after={after}"
    with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(place, headers=headers):
        pass
    assert refusal.value.status_code == status
    assert refusal.value.json()["object"] == "error"
    assert refusal.value.json()["message"].startswith(message)


def test_an_http_server_that_cannot_answer_a_handshake_closes_it() -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await Refusal(404, "there is no such job").answer({**scope, "extensions": {}}, receive, send)

    with pytest.raises(WebSocketDisconnect) as refusal, TestClient(plain).websocket_connect("/"):
        pass
    assert (refusal.value.code, refusal.value.reason) == (1008, "there is no such job")
