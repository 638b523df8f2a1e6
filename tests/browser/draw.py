#!/usr/bin/env python3
"""Draws with Mermaid itself, in a browser, every flow that ships and every diagram of the documentation, and counts what
is drawn: all arrows, all parties, all notes. The pictures are in build/browser/.   draw.py [FILE…]
Exit status 77: no browser, or Mermaid cannot be had."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "browser"
MERMAID = "11.17.2"  # a version that GitHub may draw with

PAGE = """<!doctype html><meta charset="utf-8"><body><div id="picture"></div><script src="mermaid.min.js"></script>
<script>
mermaid.initialize({startOnLoad: false, securityLevel: 'strict'});
const texts = TEXTS;
(async () => {
    const drawn = [];
    for (const [at, text] of texts.entries()) {
        try {
            const {svg} = await mermaid.render('picture' + at, text);
            document.getElementById('picture').innerHTML = svg;
            const count = what => document.querySelectorAll('#picture ' + what).length;
            drawn.push({svg, arrows: count('.messageText'), notes: count('rect.note')});
        } catch (error) {
            drawn.push({error: String(error).slice(0, 500)});
        }
    }
    document.body.textContent = 'DRAWN' + JSON.stringify(drawn) + 'DRAWN';
})();
</script>"""

ARROW = re.compile(r"^\s*[\w.]+\s*(?:<<-->>|<<->>|-->>|->>|--x|-x|--\)|-\))\s*[-+]?\s*[\w.-]+\s*:", re.M)
NOTE = re.compile(r"^\s*Note ", re.M | re.I)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def diagrams(paths):
    """Name and text of each: a whole .mmd, or the blocks of a page."""
    for path in paths:
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
        if path.suffix == ".mmd":
            yield name, text
        else:
            for block in re.finditer(r"^```mermaid\n(.*?)^```", text, re.M | re.S):
                yield f"{name}:{text.count(chr(10), 0, block.start()) + 1}", block[1]


def get_mermaid():
    script = WORK / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    if not script.exists():
        if not shutil.which("npm"):
            skip("npm is not installed (tools/packages.txt, section browser)")
        WORK.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(
            ["npm", "install", "--prefix", WORK, "--ignore-scripts", "--no-audit", "--no-fund", f"mermaid@{MERMAID}"],
            capture_output=True, text=True, timeout=200, check=False)
        if got.returncode != 0 or not script.exists():
            skip(f"npm could not install Mermaid {MERMAID}")
    return script


def draw(browser, script, texts):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(script, folder)
        page = pathlib.Path(folder) / "page.html"
        inside = json.dumps(texts).replace("<", "\\u003c")
        page.write_text(PAGE.replace("TEXTS", inside), encoding="utf-8")
        got = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
             "--virtual-time-budget=600000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=500, check=False, env={**os.environ, "HOME": folder})
    found = re.search(r"DRAWN(.*)DRAWN", got.stdout, re.S)
    if not found:
        sys.exit(f"{browser} drew nothing:\n{got.stderr[-2000:]}")
    plain = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u00a0").replace("&amp;", "&")
    return json.loads(plain)


def main():
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        skip("chromium is not installed (tools/packages.txt, section browser)")
    given = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    paths = given or [path for folder in ("flows", "docs", "tests/golden", "tests/flows") for path in sorted((ROOT / folder).rglob("*"))
                      if path.suffix in (".mmd", ".md")] + [ROOT / "README.md"]
    named = list(diagrams(paths))
    drawn = draw(browser, get_mermaid(), [text for _, text in named])
    bad = 0
    for (name, text), picture in zip(named, drawn, strict=True):
        wanted = {"arrows": len(ARROW.findall(text)), "notes": len(NOTE.findall(text))}
        if "error" in picture:
            bad += 1
            print(f"{name}: {picture['error']}")
            continue
        target = WORK / "pictures" / f"{name.replace('/', '_')}.svg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(picture.pop("svg"), encoding="utf-8")
        if picture != wanted:
            bad += 1
            print(f"{name}: the text has {wanted}, the picture {picture}")
    print(f"{len(named)} diagrams drawn by Mermaid {MERMAID}, {bad} of them wrong")
    sys.exit(1 if bad or not named else 0)


main()
