import re
import tomllib

from helpers import ROOT

from skdaf._core.requirements import how_to_install


def test_the_message_names_packages_and_extra():
    expected = 'pip install onnx onnxscript, or the extra "export" of skdaf'
    assert how_to_install("onnx onnxscript", "export") == expected


def test_the_extras_in_messages_contain_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    sources = [path.read_text() for path in (ROOT / "skdaf").rglob("*.py")]
    calls = re.findall(r'how_to_install\("([^"]+)", "([^"]+)"\)', "\n".join(sources))
    assert len(calls) >= 9
    for packages, extra in calls:
        names = {re.split("[<>=]", requirement)[0] for requirement in extras[extra]}
        assert names >= set(packages.split())


def test_the_pages_install_extras_from_a_checkout():
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").glob("*")]
    texts = {path.name: path.read_text() for path in pages if path.is_file()}
    assert [name for name, text in texts.items() if re.search(r"install \S*skdaf\[", text)] == []
