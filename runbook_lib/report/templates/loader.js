// Unpacks plotly.js and draws the figures; lets long tables be filtered. It reads both data blocks now, while nothing untrusted stands before them.
(() => {
  "use strict";
  const bundle = document.getElementById("plotly-bundle").textContent.trim();
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const config = { displaylogo: false, responsive: true, displayModeBar: false };

  const load = async () => {
    const packed = Uint8Array.from(atob(bundle), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const source = await new Response(stream).text();
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    await new Promise((loaded, failed) => {
      script.onload = loaded;
      script.onerror = failed;
      document.head.append(script);
    });
  };

  // The interactive figure takes the place of its still, whose height it keeps: nothing moves below it.
  const draw = async (target) => {
    const figure = figures[target.dataset.figure];
    const still = target.parentElement.querySelector("img");
    figure.layout.paper_bgcolor = figure.layout.plot_bgcolor = "rgba(0,0,0,0)";
    figure.layout.height = Math.max(still.clientHeight, 260);
    target.hidden = false;
    await window.Plotly.newPlot(target, figure.data, figure.layout, config);
    still.classList.add("on-paper"); // from now on for the printer alone
  };

  // Figures are drawn when the reader comes near them; until then, and if that fails, there is the still.
  const drawNear = (targets) => {
    let before = Promise.resolve();
    const near = new IntersectionObserver(
      (seen) => {
        for (const { target } of seen.filter((each) => each.isIntersecting)) {
          near.unobserve(target);
          const place = target.querySelector("[data-figure]");
          before = before.then(() => draw(place)).catch(() => { place.hidden = true; });
        }
      },
      { rootMargin: "400px" },
    );
    for (const target of targets) near.observe(target.parentElement);
  };

  const addFilter = (place) => {
    const rows = [...place.querySelectorAll("tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    input.type = "search";
    label.append("Only lines with ", input, " ", count);
    place.querySelector("summary").after(label);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      for (const [row, words] of rows) row.hidden = !words.includes(wanted);
      count.textContent = wanted ? `${rows.filter(([row]) => !row.hidden).length} of ${rows.length}` : "";
    });
  };

  document.addEventListener("DOMContentLoaded", async () => {
    document.querySelectorAll("[data-filter]").forEach(addFilter);
    const targets = [...document.querySelectorAll("[data-figure]")];
    try {
      if (targets.length) await load();
      drawNear(targets);
      document.documentElement.dataset.charts = "ready";
    } catch (error) {
      document.documentElement.dataset.charts = "failed";
    }
  });
})();
