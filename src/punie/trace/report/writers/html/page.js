"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const titled = (shape, text) => {
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = text;
    shape.append(title);
  };
  document.documentElement.classList.add("js");

  // Help: the glossary's words where they are used; raw numbers where rounded ones stand.
  for (const term of all(".term")) {
    const entry = document.getElementById(term.hash.slice(1));
    if (entry) term.title = entry.nextElementSibling.textContent;
  }
  const RAW = /^(-?[\d.e+-]+)(ns|bytes)$/;
  document.addEventListener("mouseover", (event) => {
    const cell = event.target.closest?.("td[data-v]");
    const raw = cell && !cell.title && RAW.exec(cell.dataset.v);
    if (raw) cell.title = `${Math.round(raw[1]).toLocaleString("en")} ${raw[2]}`;
  });
  for (const figure of all("figure.bars")) {
    const names = all("details th[scope=col]", figure).map((cell) => cell.textContent);
    all(".chart tr", figure).forEach((row, index) => {
      const cells = all("details tbody tr", figure)[index]?.cells ?? [];
      const parts = [...cells].slice(1, -1).map((cell, at) => [names[at + 1], cell]);
      const shown = parts.filter(([, cell]) => parseFloat(cell.dataset.v) > 0);
      all("rect", row).forEach((rect, at) => shown[at] && titled(rect, `${shown[at][0]} ${shown[at][1].textContent}`));
    });
  }
  for (const strip of all(".strip")) titled(strip, strip.classList[1].slice(2));

  // Tables: sort by a column; a second press turns the order round.
  const value = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return "";
    const raw = parseFloat(cell.dataset.v);
    return Number.isNaN(raw) ? cell.textContent : raw;
  };
  const order = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b
      : typeof a === "number" ? -1
        : typeof b === "number" ? 1
          : a.localeCompare(b, "en", { numeric: true });
  const sort = (table, heading) => {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") !== "descending";
    for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => (down ? order(b, a) : order(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of all("table.data")) {
    if (table.tBodies[0].rows.length < 3 || table.querySelector(".part, .strong")) continue;
    for (const heading of all("thead th", table)) {
      const name = heading.textContent || "name";
      const button = make("button", "", { type: "button", class: "sort", "aria-label": `Sort by ${name}` });
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
    }
  }

  // Waterfalls: zoom and move along the time axis of the one that is open and current.
  const SIZES = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
  const WIDTH = 100000;
  const views = new WeakMap();
  const view = (query) => views.get(query) ?? { from: 0, width: WIDTH };
  const nice = (least) => {
    const power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least * 0.999);
  };
  const show = (query, { from, width }) => {
    width = Math.min(WIDTH, Math.max(20, width));
    from = Math.min(WIDTH - width, Math.max(0, from));
    views.set(query, { from, width });
    const svg = query.querySelector(".spans");
    svg.setAttribute("viewBox", `${from} 0 ${width} ${svg.getAttribute("height")}`);
    const wall = Number(query.querySelector(".waterfall").dataset.wall);
    const [start, length] = [(from / WIDTH) * wall, (width / WIDTH) * wall];
    const step = nice(length / 5);
    const [size, unit] = SIZES.find(([one]) => start + length >= one) ?? SIZES[3];
    const ruler = query.querySelector(".ruler");
    const texts = [];
    for (let at = Math.ceil(start / step) * step; at <= start + length; at += step) {
      const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
      const place = ((at - start) / length) * 100;
      text.textContent = at ? `${Number((at / size).toPrecision(8))} ${unit}` : "0";
      text.setAttribute("x", `${place}%`);
      text.setAttribute("y", "13");
      text.setAttribute("class", place < 7 ? "tick start" : place > 93 ? "tick end" : "tick");
      texts.push(text);
    }
    ruler.replaceChildren(...texts);
  };
  const zoom = (query, factor, centre = 0.5) => {
    const { from, width } = view(query);
    const next = Math.min(WIDTH, Math.max(20, width * factor));
    show(query, { from: from + (width - next) * centre, width: next });
  };
  const move = (query, share) => {
    const { from, width } = view(query);
    show(query, { from: from + share * width, width });
  };
  const queries = all(".query");
  let current = queries[0];
  for (const query of queries) {
    query.addEventListener("focusin", () => { current = query; });
    const svg = query.querySelector(".spans");
    let start = null;
    const share = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    svg.addEventListener("pointerdown", (event) => { start = share(event); current = query; });
    svg.addEventListener("pointerup", (event) => {
      const [a, b] = [start, share(event)].sort((one, other) => one - other);
      const { from, width } = view(query);
      if (start !== null && b - a > 0.01) show(query, { from: from + a * width, width: (b - a) * width });
      start = null;
    });
    svg.addEventListener("dblclick", () => show(query, { from: 0, width: WIDTH }));
    const tools = make("div", "", { class: "tools" });
    const uses = [
      ["−", "Zoom out", () => zoom(query, 2)],
      ["+", "Zoom in", () => zoom(query, 0.5)],
      ["←", "Earlier", () => move(query, -0.25)],
      ["→", "Later", () => move(query, 0.25)],
      ["all", "Show all of the query", () => show(query, { from: 0, width: WIDTH })],
    ];
    for (const [sign, label, use] of uses) {
      const button = make("button", sign, { type: "button", "aria-label": label, title: label });
      button.addEventListener("click", use);
      tools.append(button);
    }
    query.querySelector(".scroll").before(tools);
  }

  // Finding queries, and moving between them.
  const find = document.getElementById("find");
  const shown = () => queries.filter((query) => !query.hidden);
  if (find && queries.length) {
    find.closest(".find").hidden = false;
    find.addEventListener("input", () => {
      const wanted = find.value.toLowerCase();
      for (const query of queries) {
        query.hidden = !query.querySelector("summary").textContent.toLowerCase().includes(wanted);
      }
    });
  }
  const step = (by) => {
    const some = shown();
    const here = some.indexOf(document.activeElement?.closest(".query"));
    const next = some[Math.min(some.length - 1, Math.max(0, here + by))];
    next?.querySelector("summary")?.focus();
  };
  const help = document.getElementById("keys");
  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    "+": () => current && zoom(current, 0.5),
    "=": () => current && zoom(current, 0.5),
    "-": () => current && zoom(current, 2),
    0: () => current && show(current, { from: 0, width: WIDTH }),
    ArrowLeft: () => current && move(current, -0.25),
    ArrowRight: () => current && move(current, 0.25),
    "/": () => find?.focus(),
    "?": () => (help.open ? help.close() : help.showModal()),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input")) {
      if (event.key === "Escape") { find.value = ""; find.dispatchEvent(new Event("input")); find.blur(); }
      return;
    }
    const arrow = event.key.startsWith("Arrow");
    if (!KEYS[event.key] || (arrow && !event.target.closest?.(".query"))) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  document.getElementById("help")?.addEventListener("click", KEYS["?"]);

  // What scrolls sideways can be reached by keyboard; what is folded is printed.
  const reach = () => {
    for (const box of all(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", "Table, scrolls sideways");
      }
    }
  };
  reach();
  window.addEventListener("resize", reach);
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const one of closed) one.open = true;
  });
  window.addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
})();
