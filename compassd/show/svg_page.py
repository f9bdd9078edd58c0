"""What is the same in every flame graph: its colours, its legend and its script. No data goes in here."""

from __future__ import annotations

STYLE = """
.compass { background: #fff; font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.compass text { fill: #1f2328; white-space: pre; }
.compass .page { fill: #fff; }
.compass .title { font: bold 15px system-ui, "DejaVu Sans", sans-serif; }
.compass .facts, .compass .legend text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #59636e; }
.compass .on { fill: #ffb870; }
.compass .off { fill: #9cc8f5; }
.compass .none { fill: #e3e6ea; }
.compass .edge { fill: none; stroke: #fff; stroke-width: 2; }
.compass .boxes > svg { cursor: pointer; }
.compass .boxes > svg:hover .edge { fill: #000; fill-opacity: .08; stroke: #1f2328; }
.compass .boxes > .above { opacity: .55; }
.compass .boxes > .away { display: none; }
"""

LEGEND = """\
<svg class="legend" x="100%" y="14" width="1" height="14" overflow="visible">
<rect class="on" x="-282" width="12" height="12"/><text x="-265" y="10">on CPU</text>
<rect class="off" x="-208" width="12" height="12"/><text x="-191" y="10">waiting</text>
<rect class="none" x="-132" width="12" height="12"/><text x="-115" y="10">unattributed</text>
</svg>
"""

# A click on a box makes it as wide as the picture: boxes beside it go away, its callers fill the width.
# Labels are cut to what fits, with an ellipsis; without the script they are clipped.
SCRIPT = """//<![CDATA[
(() => {
  const page = document.currentScript.ownerSVGElement;
  const detail = page.querySelector(".detail"), hint = detail.textContent;
  const boxes = [...page.querySelectorAll(".boxes > svg")].map(node => {
    const label = node.querySelector("text");
    return { node, label, letters: [...label.textContent], x: parseFloat(node.getAttribute("x")),
      w: parseFloat(node.getAttribute("width")), about: node.querySelector("title").textContent };
  });
  const all = boxes[0], slack = 0.0003;
  const letter = all.label.getComputedTextLength() / all.letters.length || 7.2;
  let zoomed = all;
  const draw = () => {
    const scale = 100 / zoomed.w, px = page.querySelector(".boxes").width.baseVal.value;
    for (const box of boxes) {
      const above = box.x <= zoomed.x + slack && box.x + box.w >= zoomed.x + zoomed.w - slack
        && box.node.y.baseVal.value < zoomed.node.y.baseVal.value;
      const away = !above && (box.x + box.w <= zoomed.x + slack || box.x >= zoomed.x + zoomed.w - slack
        || box.node.y.baseVal.value < zoomed.node.y.baseVal.value);
      const width = above ? 100 : box.w * scale;
      box.node.setAttribute("class", away ? "away" : above ? "above" : "");
      box.node.setAttribute("x", (above ? 0 : (box.x - zoomed.x) * scale) + "%");
      box.node.setAttribute("width", width + "%");
      const room = Math.floor((px * width / 100 - 8) / letter);
      box.label.textContent = room >= box.letters.length ? box.letters.join("")
        : room < 3 ? "" : box.letters.slice(0, room - 1).join("") + "\\u2026";
    }
  };
  for (const box of boxes) {
    box.node.addEventListener("click", () => { zoomed = box; draw(); });
    const about = box.about.split("\\n").join("  \\u00b7  ");
    box.node.addEventListener("mouseenter", () => { detail.textContent = about; });
    box.node.addEventListener("mouseleave", () => { detail.textContent = hint; });
  }
  addEventListener("keydown", event => { if (event.key === "Escape") { zoomed = all; draw(); } });
  addEventListener("resize", draw);
  page.setAttribute("width", "100%");
  draw();
})();
//]]>"""
