"""Statistics of data files in the terminal: figures, and a histogram of lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from mistraltune.cli.console import note, show
from mistraltune.data.findings import counted
from mistraltune.data.statistics import NEAR_ROWS, Bin, DataStatistics, Overlap

BAR_WIDTH = 40
NUM_ROWS_SHOWN = 5
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show_statistics(files: Sequence[DataStatistics], shared: Sequence[Overlap]) -> None:
    """Print each file, then what the files share."""
    for file in files:
        show(Text(file.file, style="bold"))
        show("\n".join(f"  {line}" for line in figures(file)))
        show(histogram_table(file.lengths.bins, max_length=file.max_length))
        for line in mentioned_rows(file):
            note(line)
    for overlap in shared:
        show(shared_rows(overlap))


def shared_rows(overlap: Overlap) -> str:
    """What two files share, and how they were compared."""
    if overlap.num_near is None:
        nearly = f"not compared nearly (together more than {NEAR_ROWS:,} rows)"
    else:
        nearly = f"{overlap.num_near:,} nearly" if overlap.num_near else "none nearly"
    exact = (
        f"{counted(overlap.num_rows, 'row')} of it {are(overlap.num_rows)}" if overlap.num_rows else "no row of it is"
    )
    return f"{overlap.second}: {exact} in {overlap.first} exactly; {nearly}"


def figures(file: DataStatistics) -> Iterator[str]:
    """What is known of a file, a line a subject."""
    kind = f" ({file.format})" if file.format else ""
    yield f"{counted(file.num_rows, 'row')}{kind}, {counted(file.num_duplicates, 'duplicate')}"
    share = file.num_trained_tokens / max(file.num_tokens, 1)
    yield (
        f"{counted(file.num_sequences, 'sequence')}, {counted(file.num_tokens, 'token')}, "
        f"{file.num_trained_tokens:,} of them trained ({share:.1%})"
    )
    lengths = file.lengths
    middle = ", ".join(f"{name} {value:,}" for name, value in lengths.percentiles.items())
    yield f"tokens a sequence: {lengths.shortest:,} to {lengths.longest:,}, mean {lengths.mean:,.1f}"
    yield f"percentiles: {middle}"
    if file.max_length is not None:
        yield f"longer than {file.max_length:,} tokens: {counted(file.num_too_long, 'row')}"
    if file.num_refused:
        yield f"refused by the tokenizer: {counted(file.num_refused, 'row')}, not counted in tokens"
    yield f"steps an epoch: {file.steps_per_epoch:,} of {counted(file.rows_per_step, 'row')}"


def histogram_table(bins: Sequence[Bin], *, max_length: int | None) -> Table:
    """A bar for each bin; what is longer than allowed in another colour."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 2), show_header=False)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    most = max((bin_.count for bin_ in bins), default=1)
    for bin_ in bins:
        is_too_long = max_length is not None and bin_.low > max_length
        bar = Text(drawn_bar(bin_.count / most), style="red" if is_too_long else "green")
        table.add_row(f"{bin_.low:,} to {bin_.high:,}", f"{bin_.count:,}", bar)
    return table


def drawn_bar(share: float) -> str:
    """A bar of up to `BAR_WIDTH` columns, drawn in eighths; what is there at all shows."""
    eighths = max(round(8 * BAR_WIDTH * share), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def mentioned_rows(file: DataStatistics) -> Iterator[str]:
    """The first rows that are too long or refused, and how many more there are."""
    for row in file.too_long[:NUM_ROWS_SHOWN]:
        yield f"{row['row']} has {row['num_tokens']:,} tokens"
    for finding in file.refused[:NUM_ROWS_SHOWN]:
        yield str(finding)
    num_shown = min(len(file.too_long), NUM_ROWS_SHOWN) + min(len(file.refused), NUM_ROWS_SHOWN)
    num_more = file.num_too_long + file.num_refused - num_shown
    if num_more:
        yield f"{file.file}: {counted(num_more, 'more such row')} (--json lists up to 100 of each kind)"


def are(number: int) -> str:
    """The verb for so many."""
    return "is" if number == 1 else "are"
