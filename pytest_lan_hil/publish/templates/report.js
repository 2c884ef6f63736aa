// Reads out time and current under the pointer; the report is complete without it.
for (const figure of document.querySelectorAll("figure.wave")) {
  const wave = JSON.parse(figure.dataset.wave);
  const svg = figure.querySelector("svg");
  const cursor = svg.querySelector(".cursor");
  const output = figure.querySelector("output");
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const share = (across - wave.left) / (wave.right - wave.left);
    const column = Math.floor(share / wave.step);
    const inside = share >= 0 && share <= 1 && column < wave.low.length;
    cursor.style.visibility = inside ? "visible" : "hidden";
    if (!inside) { output.textContent = ""; return; }
    const x = across * svg.viewBox.baseVal.width;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    const time = (share * wave.duration).toPrecision(5);
    const low = wave.low[column], high = wave.high[column];
    const current = low === null ? "dropped" : `${low} to ${high} ${wave.unit}`;
    output.textContent = `${time} ${wave.time_unit}: ${current}`;
  });
  svg.addEventListener("pointerleave", () => {
    cursor.style.visibility = "hidden";
    output.textContent = "";
  });
}
