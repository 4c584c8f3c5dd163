// Lets tables be sorted by their heads and, when they are long, filtered. Reads and reorders rows; makes no HTML of text.
(() => {
  "use strict";
  if (window.runbookTables) return;
  window.runbookTables = true;
  const LONG = 8;

  const key = (row, column) => {
    const text = row.cells[column]?.textContent.trim() ?? "";
    const number = parseFloat(text.replace(/^[×+≤≥<> ]+/, "").replaceAll(",", ""));
    return [Number.isNaN(number) ? Infinity : number, text];
  };
  const compare = ([a, words], [b, others]) => (a === b || (a === Infinity && b === Infinity)
    ? words.localeCompare(others) : a - b);

  const sort = (table, column) => {
    const head = table.tHead.rows[0].cells[column];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const cell of table.tHead.rows[0].cells) cell.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (down ? -1 : 1) * compare(key(a, column), key(b, column)));
    table.tBodies[0].append(...rows);
  };

  const filter = (table) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    label.className = "runbook-filter";
    input.type = "search";
    label.append("Only rows with ", input, " ", count);
    table.before(label);
    input.addEventListener("keydown", (event) => event.stopPropagation());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      const rows = [...table.tBodies[0].rows];
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      count.textContent = wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
    });
  };

  const improve = (table) => {
    if (table.dataset.improved || !table.tHead || !table.tHead.textContent.trim()) return;
    table.dataset.improved = "yes";
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      cell.tabIndex = 0;
      cell.setAttribute("aria-sort", "none");
      cell.addEventListener("click", () => sort(table, column));
      cell.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.stopPropagation();
        sort(table, column);
      });
    });
    if (table.tBodies[0].rows.length > LONG) filter(table);
  };

  const look = () => document.querySelectorAll(".jp-OutputArea-output table:has(th[scope=col])").forEach(improve);
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
})();
