"use strict";
/* Sorting, filters, pickers and what points say. Without this script the page still says everything. */
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const key = (row, at) => {
    const cell = row.cells[at];
    const given = cell.dataset.value;
    if (given === undefined) return cell.textContent.trim().toLowerCase();
    return given === "" ? null : Number(given);
  };

  for (const table of all("table[data-sortable]")) {
    const heads = all("thead th", table);
    heads.forEach((head, at) => {
      if (head.hasAttribute("data-unsorted")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.dataset.first ?? "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const next = now === first ? other : first;
        heads.forEach((one) => one.hasAttribute("aria-sort") && one.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const rows = all("tbody tr", table);
        rows.sort((a, b) => {
          const x = key(a, at), y = key(b, at);
          if (x === null || y === null) return (x === null) - (y === null); /* what is missing comes last */
          return sign * (x < y ? -1 : x > y ? 1 : 0);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  /* A point of a chart says its figures under the mouse, and under the arrow keys of a chart that has the focus. */
  const tip = document.querySelector(".tip");
  const hide = () => { tip.hidden = true; all(".chart .at").forEach((one) => one.classList.remove("at")); };
  const tell = (mark) => {
    hide();
    const [model, ...lines] = mark.dataset.told.split("\n");
    tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: model }), ...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    tip.hidden = false;
    mark.classList.add("at");
    const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(4, box.left + box.width / 2 - own.width / 2), document.documentElement.clientWidth - own.width - 4);
    const above = box.top - own.height - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 8) + scrollY}px`;
  };
  for (const chart of all(".chart")) {
    const marks = () => all("[data-told]", chart).filter((mark) => mark.getClientRects().length);
    chart.addEventListener("mouseover", (event) => { const mark = event.target.closest("[data-told]"); if (mark) tell(mark); else hide(); });
    chart.addEventListener("mouseleave", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      const those = marks(), now = those.findIndex((mark) => mark.classList.contains("at"));
      if (!those.length) return;
      event.preventDefault();
      tell(those[now < 0 ? (step > 0 ? 0 : those.length - 1) : (now + step + those.length) % those.length]);
    });
  }

  for (const input of all("input[data-filter]")) {
    const picker = input.closest(".picker");
    const rows = all("tbody tr", picker.nextElementSibling.closest("table") ?? picker.nextElementSibling);
    const count = picker.querySelector(".count");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !wanted.every((word) => row.dataset.words.toLowerCase().includes(word));
      count.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
    });
    picker.hidden = false;
  }

  for (const select of all("select[data-gallery]")) {
    const picker = select.closest(".picker");
    const tiles = [...document.getElementById(select.dataset.gallery).children];
    const count = picker.querySelector(".count");
    const show = () => {
      for (const tile of tiles) tile.hidden = select.value !== "" && !tile.dataset.wrong.split(" ").includes(select.value);
      count.textContent = `${tiles.filter((tile) => !tile.hidden).length} images`;
    };
    select.addEventListener("change", show);
    picker.hidden = false;
    show();
  }

  for (const picker of all("label.picker")) {
    const matrices = all(".matrix", picker.parentElement);
    const select = picker.querySelector("select");
    const show = () => matrices.forEach((one) => { one.hidden = one.id !== select.value; });
    select.addEventListener("change", show);
    picker.hidden = false;
    show();
    window.addEventListener("beforeprint", () => matrices.forEach((one) => { one.hidden = false; }));
    window.addEventListener("afterprint", show);
  }

  /* Pictures of test images: each is a part of one picture that travels in the page. */
  const element = (name, text, more = {}) => Object.assign(document.createElement(name), { textContent: text }, more);
  const SHOWN = 48;
  const fill = (list, found, those, sides) => {
    const [width, height] = found.tile, zoom = Math.max(1, Math.round(64 / Math.max(width, height)));
    list.replaceChildren(...those.slice(0, SHOWN).map((at) => {
      const image = found.images[at], item = document.createElement("li");
      const picture = element("span", "", { className: "sprite" });
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", `Test image ${image.name}, labelled ${found.classes[image.true]}`);
      const x = (at % found.columns) * width * zoom, y = Math.floor(at / found.columns) * height * zoom;
      Object.assign(picture.style, { width: `${width * zoom}px`, height: `${height * zoom}px`, backgroundPosition: `-${x}px -${y}px`, backgroundSize: `${found.columns * width * zoom}px auto` });
      item.append(picture, element("b", found.classes[image.true]), element("small", image.name, { title: image.name }));
      for (const side of sides) {
        const sure = image.sure[side] < 0 ? "" : ` ${image.sure[side]} %`;
        item.append(element("small", `${found.models[side]}: ${found.classes[image.said[side]]}${sure}`, { className: image.right[side] ? "right" : "wrong" }));
      }
      return item;
    }));
  };
  for (const place of all(".duel")) {
    const found = JSON.parse(place.querySelector("script").textContent);
    const [a, b] = ["a", "b"].map((side) => place.querySelector(`[data-side=${side}]`));
    const cells = all("[data-quadrant]", place).map((one) => { const button = element("button", "", { type: "button" }); button.dataset.quadrant = one.dataset.quadrant; one.replaceWith(button); return button; });
    let chosen = 1;
    const show = () => {
      const [one, other] = [Number(a.value), Number(b.value)];
      const counts = one === other ? null : found.counts[`${one} ${other}`];
      place.querySelector("[data-sentence]").textContent = counts ? found.sentences[`${one} ${other}`] ?? "" : "Choose two models.";
      for (const [side, at] of [["a", one], ["b", other]]) for (const what of ["right", "wrong"]) place.querySelector(`[data-${what}=${side}]`).textContent = `${found.models[at]} ${what}`;
      cells.forEach((cell) => { const at = Number(cell.dataset.quadrant); cell.textContent = counts ? counts[at].toLocaleString("en") : "–"; cell.setAttribute("aria-pressed", String(at === chosen)); });
      const wanted = [[1, 1], [1, 0], [0, 1], [0, 0]][chosen];
      const those = counts ? found.images.flatMap((image, at) => image.right[one] === wanted[0] && image.right[other] === wanted[1] ? [at] : []) : [];
      const words = [`Both are right`, `Only ${found.models[one]} is right`, `Only ${found.models[other]} is right`, `Neither is right`][chosen];
      place.querySelector("[data-title]").textContent = counts ? `${words}: ${counts[chosen].toLocaleString("en")} of ${found.total.toLocaleString("en")} images, ${Math.min(those.length, SHOWN)} shown` : "";
      fill(place.querySelector(".sprites"), found, those, [one, other]);
    };
    cells.forEach((cell) => cell.addEventListener("click", () => { chosen = Number(cell.dataset.quadrant); show(); }));
    for (const select of [a, b]) select.addEventListener("change", show);
    a.closest(".picker").hidden = false;
    show();
    /* A cell of a confusion matrix opens its images. */
    for (const matrix of all(`#confusion [data-of="${place.dataset.of}"] .matrix`)) {
      const model = found.models.indexOf(matrix.dataset.label), tiles = matrix.querySelector(".tiles");
      if (model < 0) continue;
      tiles.querySelector(".sprites").style.setProperty("--sprite", place.querySelector(".sprites").style.getPropertyValue("--sprite"));
      for (const cell of all("[data-cell]", matrix)) {
        const [actual, predicted] = cell.dataset.cell.split(" ").map(Number);
        const button = element("button", cell.textContent, { type: "button", title: `${found.classes[actual]} taken for ${found.classes[predicted]}` });
        cell.replaceChildren(button);
        button.addEventListener("click", () => {
          const those = found.images.flatMap((image, at) => image.true === actual && image.said[model] === predicted ? [at] : []);
          tiles.hidden = false;
          tiles.querySelector("[data-title]").textContent = `${found.classes[actual]} taken for ${found.classes[predicted]} by most seeds of ${matrix.dataset.label}: ${Math.min(those.length, SHOWN)} images of this page`;
          fill(tiles.querySelector(".sprites"), found, those, [model]);
        });
      }
    }
  }

  for (const bar of all(".datasets")) {
    const select = bar.querySelector("select");
    const blocks = all("[data-of]");
    const show = (wanted) => blocks.forEach((one) => { one.hidden = wanted !== "" && one.dataset.of !== wanted; });
    select.addEventListener("change", () => {
      const section = all("main > section").find((one) => one.getBoundingClientRect().bottom > 0);
      const before = section?.getBoundingClientRect().top;
      show(select.value);
      if (before < 0) section.scrollIntoView({ behavior: "instant" }); /* what was read stays in sight, though shorter */
    });
    bar.hidden = false;
    show(select.value); /* a reloaded page keeps what was chosen */
    window.addEventListener("beforeprint", () => { if (document.getElementById("print-all").checked) show(""); });
    window.addEventListener("afterprint", () => show(select.value));
  }

  for (const tools of all(".tools")) {
    const root = document.documentElement;
    tools.querySelector("[data-theme-button]").addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
    const link = tools.querySelector("[data-link-button]");
    link.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(location.href); link.textContent = "Copied"; } catch { link.textContent = "See the address"; }
    });
    tools.hidden = false;
  }

  /* A model under the mouse stands out in every chart. */
  for (const row of all("tr[data-model]")) {
    const mark = (on) => all(".chart [data-told]").forEach((one) => one.classList.toggle("faint", on && one.dataset.told.split("\n")[0] !== row.dataset.model));
    row.addEventListener("mouseenter", () => mark(true));
    row.addEventListener("mouseleave", () => mark(false));
  }

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((one) => { one.open = false; }); opened = []; });
})();
