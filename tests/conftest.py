"""What the tests share: a tiny Mistral, rows to train on, and the command line as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported: no test looks at the Hub

import hypothesis
import pytest
from filelock import FileLock
from tallying import Tally

from mistraltune.publishing import publish_dir

# A script's `pytest &` ignores SIGINT, nohup SIGHUP, and every child of the tests would too.
for number, heeded in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, heeded)

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")

TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """Count what held under faults, see `tests/faults.md`."""
    config.stash[TALLY] = Tally()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count a test that is marked as trials of a figure."""
    report: pytest.TestReport = yield
    if report.when == "call" and not report.skipped:
        for figure in item.iter_markers("figure"):
            trials = figure.kwargs.get("trials", 1)
            item.config.stash[TALLY].count(*figure.args, trials=trials, held=report.passed)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Put the figures of an exhaustive session into the table."""
    tally = session.config.stash[TALLY]
    if os.environ.get("MISTRALTUNE_FAULTS") == "all" and tally.rows:
        tally.write(Path(__file__).parent / "faults.md")


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Counts trials that one test makes by itself."""
    return pytestconfig.stash[TALLY]


MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """`make_once(name, make)`: a folder that the session's processes share; the first that asks has `make` fill it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def find_or_make(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / name
        with FileLock(shared / f"{name}.lock"):
            if not folder.is_dir():
                with publish_dir(folder) as staging:
                    make(staging)
        return folder

    return find_or_make


@pytest.fixture(scope="session")
def tiny_model(make_once: MakeOnce) -> Path:
    """A model folder: two random layers of Mistral with Mistral's own v3 tokenizer. Shared: copy it to change it."""
    return make_once("tiny-mistral", write_tiny_model)


def write_tiny_model(folder: Path) -> None:
    """Seeded weights in bf16, 9 MB of safetensors, nearly all of it the embeddings of 32,768 tokens."""
    import mistral_common
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=32768,  # of the v3 tokenizer
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        sliding_window=None,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(42)
        model = MistralForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizers = Path(mistral_common.__file__).parent / "data"
    shutil.copyfile(tokenizers / "mistral_instruct_tokenizer_240323.model.v3", folder / "tokenizer.model.v3")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside the repository, where it does."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data does not lie beside this repository")
    return folder


TICKETS = {
    "train": {
        "My card was charged twice for one order.": "billing / normal",
        "The parcel never came and I need it today!": "delivery / urgent",
        "How do I change the name on my account?": "account / normal",
        "The app shuts down while customers are waiting.": "bug / urgent",
        "Je voudrais une copie de ma facture.": "billing / normal",
        "Mon colis est perdu, c'est une urgence.": "delivery / urgent",
        "Je ne peux plus me connecter, aidez-moi vite.": "account / urgent",
        "Le bouton de recherche ne répond pas.": "bug / normal",
    },
    "val": {
        "Please send me last month's invoice.": "billing / normal",
        "Personne ne peut se connecter depuis ce matin !": "account / urgent",
    },
    "test": {
        "Why is there a fee on my bill?": "billing / normal",
        "The courier lost our box, we need it by noon.": "delivery / urgent",
        "Comment supprimer mon compte ?": "account / normal",
        "L'écran reste blanc, tout est bloqué.": "bug / urgent",
    },
}


@pytest.fixture
def triage_rows(tmp_path: Path) -> Path:
    """A folder with `train.jsonl`, `val.jsonl` and `test.jsonl`: 8, 2 and 4 support tickets, no row twice."""
    folder = tmp_path / "triage"
    folder.mkdir()
    for split, tickets in TICKETS.items():
        rows = ({"instruction": ticket, "output": label} for ticket, label in tickets.items())
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class CommandLine:
    """The `mistraltune` command, each call a process of its own.

    Attributes:
        folder: Its working directory.
        env: Variables beside those of the tests.
    """

    folder: Path
    env: Mapping[str, str]

    def __call__(self, *arguments: str | Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; upper-case keywords are further variables."""
        return subprocess.run(
            [sys.executable, "-m", "mistraltune", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.env, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture
def mistraltune(tmp_path: Path) -> CommandLine:
    """`mistraltune("train", "local", ...)`, run in the test's own folder, on plain 80 columns."""
    return CommandLine(tmp_path, {"COLUMNS": "80", "NO_COLOR": "1", "MISTRALTUNE_CACHE_DIR": str(tmp_path / "cache")})


HOLD_THE_LOCK = """
import sys
from pathlib import Path
from mistraltune.runs import RunDir
with RunDir(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""

HoldRun = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]


@pytest.fixture
def held_by_another_process() -> HoldRun:
    """`with held_by_another_process(path) as process`: a process that holds the run directory's lock."""

    @contextmanager
    def hold(path: Path) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", HOLD_THE_LOCK, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            try:
                yield holder
            finally:
                holder.kill()

    return hold
