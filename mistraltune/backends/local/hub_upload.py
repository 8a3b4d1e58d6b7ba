"""Files on the Hugging Face Hub, as one commit, with the key of the environment alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mistraltune.errors import ApiError, ConfigError, TemporaryError
from mistraltune.settings import settings


def publish(files: Mapping[str, Path | bytes], *, repo: str, private: bool, message: str) -> str:
    """Put `files` into the model repository `repo`, made where it is missing, see `ExportingBackend.publish`.

    A repository that is there already keeps its visibility; one that is public is never taken where a private one was
    asked for.

    Raises:
        ConfigError: There is no key, or the repository is public though a private one was asked for.
        ApiError: The Hub refuses.
        TemporaryError: It cannot be reached.
    """
    from httpx2 import TransportError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    token = settings().hf_token
    if token is None:
        raise ConfigError("no key for the Hub", hint="set HF_TOKEN to a token that may write")
    api = HfApi(token=token.get_secret_value(), library_name="mistraltune")
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise ConfigError(f"{repo} is public already", hint="make it private on the Hub, or leave out --private")
        operations = [
            CommitOperationAdd(name, str(content) if isinstance(content, Path) else content)
            for name, content in files.items()
        ]
        return str(api.create_commit(repo, operations, commit_message=message).commit_url)
    except OfflineModeIsEnabled as error:
        raise ConfigError("the Hub is switched off", hint="unset HF_HUB_OFFLINE") from error
    except HfHubHTTPError as error:
        raise refusal(error, repo) from error
    except (TransportError, OSError) as error:
        raise TemporaryError(
            f"cannot reach the Hub for {repo}", hint="check the network, then give the same command again"
        ) from error


def refusal(error: Exception, repo: str) -> Exception:
    """What the Hub's answer means."""
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    reason = (str(getattr(error, "server_message", "") or error).strip().splitlines() or [""])[0]
    if status >= 500 or status in (408, 429):
        return TemporaryError(f"the Hub fails ({status}): {reason}", hint="give the same command again later")
    hint = {401: "is HF_TOKEN valid?", 403: "may HF_TOKEN write there?"}.get(status, "")
    return ApiError(f"the Hub refuses {repo} ({status}): {reason}", hint=hint)
