"""The diagram and the table of packages on the page "Architecture".

Both are generated from the table of allowed imports in `tests/test_architecture.py`, which a test
compares with the code, and from the first line of each package's docstring.
"""

import ast
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[1]
BOX = 150, 46  # width and height of a package, in pixels
GAP = 22, 50  # between packages side by side, and between rows


def allowed_imports():
    """Return {package: packages that it may import}, in the order of the test's table."""
    source = (ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "ALLOWED_IMPORTS":
            return ast.literal_eval(statement.value)
    raise LookupError("no ALLOWED_IMPORTS in tests/test_architecture.py")


def purpose(package):
    """Return the first line of a package's docstring, without its full stop."""
    path = ROOT / "skdaf" / package / "__init__.py"
    path = path if path.is_file() else ROOT / "skdaf" / f"{package}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return docstring.partition("\n")[0].rstrip(".").replace("`", "")


def rows_of(imports):
    """Return the packages in rows; each imports from rows further down only."""
    depth = {}
    for package, imported in imports.items():
        depth[package] = 1 + max((depth[name] for name in imported if name in depth), default=-1)
    return [[p for p in imports if depth[p] == row] for row in range(max(depth.values()), -1, -1)]


def direct(imports):
    """Return the imports without those that others imply, so that the diagram stays readable."""
    reached = {}
    for package, imported in imports.items():
        inside = [name for name in imported if name in imports]
        reached[package] = set(inside).union(*(reached[name] for name in inside))
    return {
        package: [
            name
            for name in imported
            if name in imports and not any(name in reached.get(other, ()) for other in imported)
        ]
        for package, imported in imports.items()
    }


def places(rows):
    """Return the center of each package, and the size of the diagram."""
    widest = max(map(len, rows))
    width = widest * (BOX[0] + GAP[0]) + GAP[0]
    centers = {}
    for number, row in enumerate(rows):
        step = width / len(row)
        y = GAP[1] / 2 + number * (BOX[1] + GAP[1]) + BOX[1] / 2
        centers |= {name: (step * (place + 0.5), y) for place, name in enumerate(row)}
    return centers, (width, len(rows) * (BOX[1] + GAP[1]))


def picture():
    """Return an SVG diagram: an arrow points from a package to one that it imports."""
    imports = allowed_imports()
    centers, (width, height) = places(rows_of(imports))
    arrows = [
        _arrow(centers[package], centers[name])
        for package, imported in direct(imports).items()
        for name in imported
    ]
    boxes = [_box(name, *center) for name, center in centers.items()]
    return (
        f'<svg class="architecture" viewBox="{-GAP[0]} 0 {width + 2 * GAP[0]} {height}" role="img" '
        'aria-label="Packages of skdaf and what they import" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>"
    )


def _arrow(start, end):
    top, bottom = start[1] + BOX[1] / 2, end[1] - BOX[1] / 2
    if bottom - top > GAP[1] + 1:  # around the packages of the rows between
        x, side = start[0] + BOX[0] / 2, max(start[0], end[0]) + 0.75 * BOX[0]
        path = f"M{x:.0f} {start[1]:.0f}C{side:.0f} {start[1]:.0f} "
        path += f"{side:.0f} {top:.0f} {end[0]:.0f} {bottom:.0f}"
        return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'
    middle = (top + bottom) / 2
    path = f"M{start[0]:.0f} {top:.0f}C{start[0]:.0f} {middle:.0f} "
    path += f"{end[0]:.0f} {middle:.0f} {end[0]:.0f} {bottom:.0f}"
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'


def _box(name, x, y):
    left, top = x - BOX[0] / 2, y - BOX[1] / 2
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
        f'<text x="{x:.0f}" y="{y + 6:.0f}">{escape(name)}</text>'
    )


class PackageMap(Directive):
    """Show the diagram and the table."""

    def run(self):
        """Return the nodes of both."""
        return [nodes.raw("", picture(), format="html"), self._table()]

    def _table(self):
        header = ["package", "content", "may import"]
        rows = [
            [[nodes.literal(text=package)], [nodes.Text(purpose(package))], _names(imported)]
            for package, imported in allowed_imports().items()
        ]
        group = nodes.tgroup("", *[nodes.colspec(colwidth=width) for width in (2, 5, 5)], cols=3)
        head = _row([[nodes.Text(text)] for text in header])
        group += [nodes.thead("", head), nodes.tbody("", *map(_row, rows))]
        return nodes.table("", group)


def _names(imported):
    found = []
    for name in imported:
        text = "public names" if name == "skdaf" else name
        node = nodes.Text(text) if name == "skdaf" else nodes.literal(text=text)
        found += [node, nodes.Text(", ")]
    return found[:-1] or [nodes.Text("nothing")]


def _row(cells):
    entries = [nodes.entry("", nodes.paragraph("", "", *content)) for content in cells]
    return nodes.row("", *entries)
