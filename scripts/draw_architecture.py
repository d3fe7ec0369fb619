"""Draw docs/architecture.svg for `make docs`: which package imports which, as the source says.

A package stands above all that it imports. An arrow is left out where a longer way says the same.
"""

import ast
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import permutations, product
from pathlib import Path
from textwrap import wrap

import grimp

ROOT = Path(__file__).parent.parent
DRAWING = ROOT / "docs" / "architecture.svg"

WIDTH, MARGIN, BOX, GAP, BETWEEN = 1120, 40, 278, 44, 58
LINE, PAD, CHIP = 17, 16, 30
CORE = "sinktrack.core"

# Files that stand alone and belong together, and those that everybody may import.
TOGETHER = {
    "sinktrack": "sinktrack.api",
    "sinktrack.bench": "sinktrack.cli",
    "sinktrack.terminal": "sinktrack.cli",
}
EVERYWHERE = {"app", "sinktrack.machine", "sinktrack.version"}

COLOURS = {  # fill, edge and title of boxes, by their first word
    "app": ("#fff7e8", "#e0b65c", "#8a5a00"),
    "training": ("#f4f1f8", "#b9a6d3", "#5b4384"),
    "sinktrack": ("#ffffff", "#9ac4bd", "#0b5f57"),
}


@dataclass
class Node:
    """A package in a row, or the place where an arrow passes a row.

    Args:
        name: Of the package, or of the arrow.
        row: Counted from the bottom.
        lines: Kind and text of what stands in the box; none for an arrow.
    """

    name: str
    row: int
    lines: list[tuple[str, str]] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        """In pixels."""
        return BOX if self.lines else 10

    @property
    def height(self) -> float:
        """In pixels."""
        return 2 * PAD + LINE * len(self.lines) - 4


def drawing() -> str:
    """Return the drawing as SVG."""
    graph = grimp.build_graph(
        "sinktrack", "app", "training", exclude_type_checking_imports=True, cache_dir=None
    )
    arrows = reduced(package_imports(graph))
    packages = {end for arrow in arrows for end in arrow}
    depth = depths(packages, arrows)
    members: dict[str, list[str]] = {package: [] for package in packages}
    for module in sorted(graph.modules):
        if package_of(module) in members and module != package_of(module):
            members[package_of(module)].append(module)
    nodes = {
        package: Node(package, depth[package], lines_of(package, members[package]))
        for package in sorted(packages - {CORE})
    }
    paths = routed(arrows, nodes)
    return svg(arranged(nodes, paths), nodes, paths, core_columns(graph))


def package_of(module: str) -> str:
    """Return the package whose box a module is in."""
    words = module.split(".")
    package = words[0] if words[0] == "training" else ".".join(words[:2])
    return TOGETHER.get(package, package)


def package_imports(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Return which package imports which other."""
    found = {
        (package_of(module), package_of(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in found if a != b and not {a, b} & EVERYWHERE}


def reduced(arrows: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the arrows that a longer way implies."""

    def reaches(start: str, end: str) -> bool:
        after = [b for a, b in arrows if a == start]
        return end in after or any(reaches(each, end) for each in after)

    return sorted(
        (a, b) for a, b in arrows if not any(c != b and reaches(c, b) for x, c in arrows if x == a)
    )


def depths(names: set[str], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Return how long the longest way down is from each name."""

    def depth(name: str) -> int:
        return 1 + max((depth(b) for a, b in arrows if a == name), default=-1)

    return {name: depth(name) for name in sorted(names)}


def lines_of(package: str, members: list[str]) -> list[tuple[str, str]]:
    """Return what stands in a package's box: its name, what it is, and its files."""
    files = ", ".join(
        dict.fromkeys(
            module.removeprefix(f"{package}.").split(".")[0]
            if module.startswith(f"{package}.")
            else module.split(".")[-1]
            for module in members
            if module != "sinktrack"
        )
    )
    return [
        ("title", package),
        *(("text", line) for line in wrap(first_line(package), 39)),
        *(("files", line) for line in wrap(files, 37)),
    ]


def first_line(package: str) -> str:
    """Return the first sentence of a module's docstring, to its colon."""
    path = ROOT / package.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return said.splitlines()[0].split(":")[0].rstrip(".") + "."


def core_columns(graph: grimp.ImportGraph) -> list[list[str]]:
    """Return the files of the core, each to the right of all that it imports."""
    files = {each for each in graph.modules if each.startswith(f"{CORE}.")}
    arrows = [
        (each, other)
        for each in files
        for other in graph.find_modules_directly_imported_by(each)
        if other in files
    ]
    depth = depths(files, arrows)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for each in sorted(files):
        columns[depth[each]].append(each.removeprefix(f"{CORE}."))
    return columns


def routed(arrows: list[tuple[str, str]], nodes: dict[str, Node]) -> list[list[Node]]:
    """Return the nodes that each arrow passes, with a place of its own in every row between.

    Arrows to the core, which lies below all rows, end with their place in the lowest one.
    """
    paths = []
    for a, b in arrows:
        end = [nodes[b]] if b in nodes else []
        between = range(nodes[a].row - 1, end[0].row if end else -1, -1)
        paths.append([nodes[a], *(Node(f"{a}>{b}", row) for row in between), *end])
    return paths


def arranged(nodes: dict[str, Node], paths: list[list[Node]]) -> list[list[Node]]:
    """Return the rows from the bottom, in the order in which arrows are shortest."""
    everything = {id(node): node for path in paths for node in path}
    everything |= {id(node): node for node in nodes.values()}
    steps = [pair for path in paths for pair in zip(path, path[1:], strict=False)]
    rows: list[list[Node]] = [[] for _ in range(max(node.row for node in nodes.values()) + 1)]
    for node in sorted(everything.values(), key=lambda each: each.name):
        rows[node.row].append(node)

    def place(row: list[Node] | tuple[Node, ...]) -> None:
        free = WIDTH - 2 * MARGIN - sum(node.width for node in row)
        gap = min(free / max(len(row) - 1, 1), 90)
        at = WIDTH / 2 - (WIDTH - 2 * MARGIN - free + gap * (len(row) - 1)) / 2
        for node in row:
            node.x = at + node.width / 2
            at += node.width + gap

    def cost() -> tuple[int, float]:
        crossings = sum(
            (a.x - c.x) * (b.x - d.x) < 0
            for at, (a, b) in enumerate(steps)
            for c, d in steps[:at]
            if a.row == c.row and b.row == d.row
        )
        return crossings, round(sum(abs(a.x - b.x) for a, b in steps), 3)

    def improve(rows: list[list[Node]]) -> list[list[Node]]:
        for row in rows:
            place(row)
        for _ in range(3):
            for at, row in enumerate(rows):
                found = []
                for number, order in enumerate(permutations(row)):
                    place(order)
                    found.append((cost(), number, order))
                rows[at] = list(min(found)[2])
                place(rows[at])
        return rows

    # A row is improved beside its neighbours as they are, so several beginnings are tried.
    tried = []
    for number, turned in enumerate(product((1, -1), repeat=len(rows))):
        better = improve([row[::way] for row, way in zip(rows, turned, strict=True)])
        tried.append((cost(), number, better))
    best = min(tried)[2]
    for row in best:
        place(row)
    return best


def svg(
    rows: list[list[Node]],
    nodes: dict[str, Node],
    paths: list[list[Node]],
    columns: list[list[str]],
) -> str:
    """Return the picture of everything that was arranged."""
    tops, y = {}, float(MARGIN)
    for number in reversed(range(len(rows))):
        tops[number] = y
        y += max(node.height for node in rows[number]) + BETWEEN
    core_top = y
    core_height = 92 + CHIP * max(map(len, columns)) + 34
    height = core_top + core_height + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'role="img" aria-label="Which package imports which">',
        STYLE,
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="14" fill="#f6f6f1"/>',
    ]
    bottoms = {number: tops[number] + max(map(tall, row)) for number, row in enumerate(rows)}
    leaving = ends([(path[0], path[1:2]) for path in paths])
    arriving = ends([(path[-1], path[-2:-1]) for path in paths])
    for path in paths:
        start, end = path[0], path[-1]
        x = leaving[id(start), aim(path[1:2])]
        points = [(x, tops[start.row] + start.height), (x, bottoms[start.row])]
        for node in path[1:]:
            if node.lines:
                points.append((arriving[id(end), aim(path[-2:-1])], tops[node.row] - 3))
            else:
                points += [(node.x, tops[node.row]), (node.x, bottoms[node.row])]
        if not end.lines or len(path) == 1:
            points.append((points[-1][0], core_top - 3))
        parts.append(arrow(points))
    for node in nodes.values():
        parts += box(node, tops[node.row])
    parts += core_box(core_top, core_height, columns)
    return "\n".join([*parts, "</svg>", ""])


def tall(node: Node) -> float:
    """Return how much of its row a node takes."""
    return node.height if node.lines else 0.0


def aim(nodes: list[Node]) -> float:
    """Return where the other end of an arrow's first or last step is; straight down for none."""
    return nodes[0].x if nodes else math.inf


def ends(touching: list[tuple[Node, list[Node]]]) -> dict[tuple[int, float], float]:
    """Return where each arrow touches its box: side by side, in the order of their other ends."""
    found = {}
    for node in {id(node): node for node, _ in touching}.values():
        others = sorted({aim(other) for each, other in touching if each is node})
        for number, x in enumerate(others):
            found[id(node), x] = node.x + (number - (len(others) - 1) / 2) * 46
    return found


def arrow(points: list[tuple[float, float]]) -> str:
    """Return a line through points that leaves and arrives upright."""
    path = f"M{points[0][0]:.0f},{points[0][1]:.0f}"
    for (x, y), (to, down) in zip(points, points[1:], strict=False):
        if x == to:
            path += f" V{down:.0f}"
            continue
        bend = (down - y) / 2
        path += f" C{x:.0f},{y + bend:.0f} {to:.0f},{down - bend:.0f} {to:.0f},{down:.0f}"
    return f'<path class="arrow" d="{path}" marker-end="url(#head)"/>'


def box(node: Node, top: float) -> Iterator[str]:
    """Yield a package's box."""
    left = node.x - BOX / 2
    fill, edge, title = COLOURS[node.name.split(".")[0]]
    yield (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX}" height="{node.height:.0f}" rx="10" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
    )
    for number, (kind, text) in enumerate(node.lines):
        colour = f' style="fill: {title}"' if kind == "title" else ""
        yield (
            f'<text class="{kind}" x="{left + PAD:.0f}" y="{top + PAD + 10 + LINE * number:.0f}"'
            f"{colour}>{escape(text)}</text>"
        )


def core_box(top: float, height: float, columns: list[list[str]]) -> Iterator[str]:
    """Yield the core's box, with its files from left to right."""
    left, width = MARGIN, WIDTH - 2 * MARGIN
    yield (
        f'<rect x="{left}" y="{top:.0f}" width="{width}" height="{height:.0f}" rx="10" '
        'fill="#e4f1ee" stroke="#0b5f57" stroke-width="1.5"/>'
    )
    said = f"{first_line(CORE)[:-1]}. Each file imports files to its left alone."
    for kind, text, down in (("title", CORE, 28), ("text", said, 47)):
        fill = ' style="fill: #0b5f57"' if kind == "title" else ""
        yield f'<text class="{kind}" x="{left + PAD}" y="{top + down:.0f}"{fill}>{text}</text>'
    step = (width - 2 * PAD + 8) / len(columns)
    most = max(map(len, columns))
    for number, column in enumerate(columns):
        x = left + PAD + step * number
        first = top + 68 + CHIP * (most - len(column)) / 2
        for at, name in enumerate(column):
            y = first + CHIP * at
            yield (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{step - 8:.1f}" height="{CHIP - 7}" rx="5" '
                'fill="#ffffff" stroke="#9ac4bd"/>'
            )
            size = min(11.5, (step - 14) / len(name) / 0.6)
            yield (
                f'<text class="chip" x="{x + (step - 8) / 2:.1f}" y="{y + 15.5:.1f}" '
                f'font-size="{size:.1f}">{name}</text>'
            )
    y = top + height - 22
    yield arrow([(left + PAD, y), (WIDTH - MARGIN - PAD, y)])
    for anchor, x, text in (
        ("start", left + PAD, "imports nothing"),
        ("end", WIDTH - MARGIN - PAD, "the one decode loop"),
    ):
        yield f'<text class="files" text-anchor="{anchor}" x="{x}" y="{y + 15:.0f}">{text}</text>'


STYLE = """<style>
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #2b3a38 }
  .title { font-size: 15px; font-weight: 650 }
  .text { font-size: 12.5px }
  .files, .chip { font-family: ui-monospace, Menlo, Consolas, monospace; fill: #5c6b69 }
  .files { font-size: 11px }
  .chip { text-anchor: middle; fill: #2b3a38 }
  .arrow { fill: none; stroke: #7b8b88; stroke-width: 1.6 }
</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7"
  orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="#7b8b88"/></marker></defs>"""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    DRAWING.write_text(drawing(), "utf-8")
