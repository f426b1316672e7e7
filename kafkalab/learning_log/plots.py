"""Evidence as pictures: SVG to stand in a page, made on the controller only."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people who see colours differently (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")
# More parts than colours would be told apart by nobody.
OTHERS = "others"

# Inches, at 72 to the inch: as wide as a page's column, a bar as high as a line.
WIDTH, BAR, MARGIN = 6.4, 0.28, 0.75

LEGEND = {"fontsize": 9, "frameon": False, "handlelength": 1, "borderaxespad": 0}


def shares(title: str, counts: Mapping[str, Mapping[str, int]]) -> Markup:
    """A bar for each place, divided by its parts, with its count and its share of the whole."""
    parts = _largest_parts(counts)
    total = sum(sum(each.values()) for each in counts.values())
    figure, axes = _empty(height=BAR * len(counts) + MARGIN)
    started = [0] * len(counts)
    for part, colour in zip(parts, COLOURS, strict=False):
        widths = [_of(part, parts, each) for each in counts.values()]
        axes.barh(range(len(counts)), widths, left=started, color=colour, label=part)
        started = [before + width for before, width in zip(started, widths, strict=True)]
    for at, count in enumerate(started):
        share = f"{count / total:.0%}" if total else "0%"
        axes.text(count, at, f" {count} ({share})", va="center", fontsize=9)
    axes.set_yticks(range(len(counts)), labels=list(counts), fontsize=9)
    axes.set_ylabel("partition", fontsize=9)
    axes.set_xlim(0, max([*started, 1]) * 1.2)
    axes.invert_yaxis()
    if len(parts) > 1:
        axes.legend(ncols=len(parts), loc="lower left", bbox_to_anchor=(0, 1), **LEGEND)
    told = ", ".join(f"{place}: {count}" for place, count in zip(counts, started, strict=True))
    return _svg(figure, f"{title}. Records of each partition: {told}.")


def _largest_parts(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The parts by name; the smallest go together where there are more than colours."""
    sizes: dict[str, int] = {}
    for each in counts.values():
        for part, count in each.items():
            sizes[part] = sizes.get(part, 0) + count
    if len(sizes) <= len(COLOURS):
        return sorted(sizes)
    largest = sorted(sizes, key=lambda part: -sizes[part])[: len(COLOURS) - 1]
    return [*sorted(largest), OTHERS]


def _of(part: str, parts: list[str], counts: Mapping[str, int]) -> int:
    if part == OTHERS and part not in counts:
        return sum(count for name, count in counts.items() if name not in parts)
    return counts.get(part, 0)


def _empty(height: float) -> tuple[Figure, Axes]:
    _prepare()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return figure, axes


@cache
def _prepare() -> None:
    import matplotlib

    # Text stays text, to be read by machines too; a dollar sign is no formula.
    matplotlib.rcParams.update({"svg.fonttype": "none", "text.parse_math": False})


def _svg(figure: Figure, told: str) -> Markup:
    """The picture, with what it shows in words for those who do not see it."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Letters that matplotlib's own font lacks are drawn by the browser's.
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    return Markup('<div class="picture" role="img" aria-label="{}">{}</div>').format(
        told,
        Markup(svg),  # noqa: S704 - matplotlib escapes every text that it draws
    )
