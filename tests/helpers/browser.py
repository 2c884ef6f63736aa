"""A page of ours in a real browser, with the pointer over the middle of its waveform."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from required import binary

# Background work of the browser itself would look for hosts that a closed network doesn't have.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
POINT_AT_THE_MIDDLE = """
<script>
  const svg = document.querySelector("figure.wave svg"), box = svg.getBoundingClientRect();
  const middle = {clientX: box.left + box.width / 2, clientY: box.top + 5};
  svg.dispatchEvent(new PointerEvent("pointermove", middle));
</script>
"""


def shown(html: str, folder: Path) -> str:
    """What the browser made of the page, which must name nothing of a network."""
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    page = folder / "shown.html"
    page.write_text(html.replace("</body>", f"{POINT_AT_THE_MIDDLE}</body>"), encoding="utf-8")
    return subprocess.run(
        [binary("chromium", "chromium"), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom",
         page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout  # fmt: skip
