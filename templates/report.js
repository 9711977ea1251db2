"use strict";
/* Sorting, filters, pickers and what points say. Without this script the page still says everything. */
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* What is chosen is kept in the address: "#at=SECTION&name=value"; of each name only what the page offers is taken. */
  const kept = [];
  const keep = (name, get, set) => kept.push({ name, get, set });
  const sections = new Set(all("main > section[id]").map((one) => one.id));
  for (const part of sections) all("h3", document.getElementById(part)).forEach((head, at) => {
    head.id = `${part}-${at + 1}`;
    head.before(Object.assign(document.createElement("a"), { className: "anchor", href: `#${head.id}`, textContent: "#", ariaLabel: `Link to ${head.textContent}` }));
  });
  all("main > section h3[id]").forEach((head) => sections.add(head.id));
  let section = "";
  const save = () => {
    const here = location.hash.slice(1);
    if (sections.has(here)) section = here; /* a link was followed, and hashchange has yet to be told */
    const found = new URLSearchParams(section ? { at: section } : {});
    for (const one of kept) { const value = one.get(); if (value !== null) found.set(one.name, value); }
    const text = found.toString(), plain = text === `at=${section}` ? section : text;
    try { history.replaceState(null, "", plain ? `#${plain}` : location.href.split("#")[0]); } catch { /* a page in a frame may have no address */ }
  };
  const restore = () => {
    const text = location.hash.slice(1);
    const found = text.includes("=") ? new URLSearchParams(text) : null;
    const wanted = found ? found.get("at") : text;
    section = sections.has(wanted) ? wanted : "";
    if (found) for (const one of kept) one.set(found.get(one.name));
    save();
    if (found && section) document.getElementById(section).scrollIntoView({ behavior: "instant" });
  };
  const choose = (select, wanted = () => false) => { /* the option that is wanted, else the page's own */
    const those = [...select.options];
    select.selectedIndex = Math.max(0, those.findIndex(those.some(wanted) ? wanted : (one) => one.defaultSelected));
  };

  const key = (row, at) => {
    const cell = row.cells[at];
    const given = cell.dataset.value;
    if (given === undefined) return cell.textContent.trim().toLowerCase();
    return given === "" ? null : Number(given);
  };

  const tables = all("table[data-sortable]");
  const sorted = new Map();
  const order = (table, heads, at, direction) => {
    heads.forEach((one) => one.hasAttribute("aria-sort") && one.setAttribute("aria-sort", "none"));
    heads[at].setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = all("tbody tr", table);
    rows.sort((a, b) => {
      const x = key(a, at), y = key(b, at);
      if (x === null || y === null) return (x === null) - (y === null); /* what is missing comes last */
      return sign * (x < y ? -1 : x > y ? 1 : 0);
    });
    table.tBodies[0].append(...rows);
  };
  for (const table of tables) {
    const heads = all("thead th", table);
    const rows = all("tbody tr", table), begun = heads.map((head) => head.getAttribute("aria-sort"));
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
        table.sortBy(at, now === first ? other : first);
        save();
      });
    });
    /* Without a column: as the page came. Rules between groups of models hold in that order only. */
    table.sortBy = (at, direction) => {
      const back = at === null || begun[at] === direction;
      table.classList.toggle("reordered", !back);
      if (at !== null) order(table, heads, at, direction);
      if (back) { table.tBodies[0].append(...rows); heads.forEach((head, one) => head.hasAttribute("aria-sort") && head.setAttribute("aria-sort", begun[one] ?? "none")); sorted.delete(table); }
      else sorted.set(table, [at, direction]);
    };
  }
  keep("sort", () => sorted.size ? [...sorted].map(([table, [at, direction]]) => `${tables.indexOf(table)}.${at}.${direction}`).join(",") : null, (wanted) => {
    for (const table of [...sorted.keys()]) table.sortBy(null);
    for (const one of (wanted ?? "").split(",")) {
      const [, number, at, direction] = /^(\d+)\.(\d+)\.(ascending|descending)$/.exec(one) ?? [], table = tables[number];
      if (table?.tHead.rows[0].cells[at]?.hasAttribute("aria-sort")) table.sortBy(Number(at), direction);
    }
  });

  /* A point of a chart says its figures under the mouse, and under the arrow keys of a chart that has the focus. */
  const tip = document.querySelector(".tip");
  const raise = (model) => { /* a model stands out in every chart and in the leaderboard; null: none does */
    all(".chart [data-told], .chart [data-model]").forEach((one) => one.classList.toggle("faint", model !== null && (one.dataset.model ?? one.dataset.told.split("\n")[0]) !== model));
    all("tr[data-model]").forEach((row) => row.classList.toggle("raised", row.dataset.model === model));
  };
  const known = new Set(all("tr[data-model]").map((row) => row.dataset.model));
  const hide = () => { tip.hidden = true; all(".chart .at").forEach((one) => one.classList.remove("at")); raise(null); };
  const tell = (mark) => {
    hide();
    const [model, ...lines] = mark.dataset.told.split("\n");
    tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: model }), ...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    tip.hidden = false;
    mark.classList.add("at");
    raise(known.has(model) ? model : null);
    const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(4, box.left + box.width / 2 - own.width / 2), document.documentElement.clientWidth - own.width - 4);
    const above = box.top - own.height - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 8) + scrollY}px`;
  };
  for (const chart of all(".chart")) {
    const marks = () => all("[data-told]", chart).filter((mark) => mark.getClientRects().length);
    chart.addEventListener("mouseover", (event) => { const mark = event.target.closest("[data-told]"); if (mark) return tell(mark); hide(); raise(event.target.closest("[data-model]")?.dataset.model ?? null); });
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
  /* Confusions of one model less those of another, in images of a trained model. */
  const contrast = (root, found, sprite) => {
    const { seeds, counts } = JSON.parse(root.querySelector("script").textContent);
    const [a, b] = sidesOf(root), tiles = root.querySelector(".tiles"), cells = all("tbody tr", root).map((row) => [...row.cells].slice(1));
    tiles.querySelector(".sprites").style.setProperty("--sprite", sprite);
    return () => {
      const sides = [a, b].map((select) => Number(select.value)), [one, other] = sides;
      sides.forEach((model, at) => { root.querySelector(`[data-name=${"ab"[at]}]`).textContent = found.models[model]; });
      const gaps = cells.map((row, y) => row.map((_, x) => (x === y ? 0 : counts[one][y][x] / seeds[one] - counts[other][y][x] / seeds[other])));
      const most = Math.max(...gaps.flat().map(Math.abs)) || 1, whole = seeds[one] === 1 && seeds[other] === 1;
      tiles.hidden = true;
      cells.forEach((row, y) => row.forEach((cell, x) => {
        const gap = gaps[y][x], size = Math.abs(gap);
        cell.className = gap > 0 ? "more" : gap < 0 ? "less" : "";
        cell.style.setProperty("--dark", `${Math.floor(12.5 + 28 * Math.sqrt(size / most))}%`);
        if (!gap) { cell.replaceChildren(); return; }
        const text = (gap > 0 ? "+" : "−") + (whole ? size.toFixed(0) : (Math.floor(10 * size + 0.5) / 10).toFixed(1));
        const words = `${found.classes[y]} taken for ${found.classes[x]}`;
        const button = element("button", text, { type: "button", title: words });
        button.addEventListener("click", () => {
          const those = found.images.flatMap((image, at) => (image.true === y && sides.some((side) => image.said[side] === x) ? [at] : []));
          tiles.hidden = false;
          tiles.querySelector("[data-title]").textContent = `${words} by most seeds of ${found.models[one]} or of ${found.models[other]}: ${Math.min(those.length, SHOWN)} images of this page`;
          fill(tiles.querySelector(".sprites"), found, those, sides);
        });
        cell.replaceChildren(button);
      }));
    };
  };
  let pairing = null; /* the labels of the two models, once they were chosen; the same in every dataset */
  const contests = [];
  const pairUp = (labels) => {
    const able = contests.filter(({ found }) => labels?.every((one) => found.models.includes(one)));
    pairing = able.length ? labels : null;
    for (const { found, sides, shows } of pairing ? able : contests) {
      for (const both of sides) both.forEach((select, at) => { if (pairing) select.value = String(found.models.indexOf(pairing[at])); else choose(select); });
      shows.forEach((show) => show());
    }
  };
  const sidesOf = (root) => ["a", "b"].map((side) => root.querySelector(`select[data-side=${side}]`));
  for (const place of all(".duel")) {
    const found = JSON.parse(place.querySelector("script").textContent);
    const [a, b] = sidesOf(place);
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
    const contest = { found, sides: [[a, b]], shows: [show] };
    contests.push(contest);
    for (const gap of all(`#confusion [data-of="${place.dataset.of}"] .contrast`)) {
      contest.sides.push(sidesOf(gap));
      contest.shows.push(contrast(gap, found, place.querySelector(".sprites").style.getPropertyValue("--sprite")));
    }
    for (const both of contest.sides) {
      for (const select of both) select.addEventListener("change", () => { pairUp(both.map((one) => found.models[Number(one.value)])); save(); });
      both[0].closest(".picker").hidden = false;
    }
    contest.shows.forEach((one) => one());
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

  let wantedFirst = null;
  keep("first", () => pairing && pairing[0], (wanted) => { wantedFirst = wanted; });
  keep("second", () => pairing && pairing[1], (wanted) => { pairUp(wantedFirst !== null && wanted !== null ? [wantedFirst, wanted] : null); });

  /* Another reference or margin. Every figure was computed when the page was made: this chooses, and draws. */
  const WORDS = { b: "better", w: "worse", e: "practically equal", u: "undecided", n: "not compared" };
  const KINDS = { ...WORDS, e: "equal" };
  const turned = (text) => text.replace(/[+−]/, (sign) => (sign === "+" ? "−" : "+"));
  const drawn = (name, more, ...inside) => {
    const found = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [one, value] of Object.entries(more)) found.setAttribute(one, value);
    found.append(...inside);
    return found;
  };
  const place = (at) => `${at / 1000}%`;
  const explorations = all("script[data-exploration]").map((script) => {
    const found = JSON.parse(script.textContent), of = script.closest("[data-of]").dataset.of;
    const [board, matrix] = ["ranking", "pairs"].map((id) => document.querySelector(`#${id} [data-of="${of}"] table.${id === "pairs" ? "pairs" : "board"}`));
    const marks = ["ranking", "pairs"].map((id) => document.querySelector(`#${id} [data-of="${of}"] .mark`));
    const rows = all("tbody tr", board), cells = matrix ? all("tbody tr", matrix).map((row) => [...row.cells].slice(1)) : [];
    const counted = document.querySelector(`#pairs [data-of="${of}"] .answer`);
    const changing = [...rows.flatMap((row) => all(".apart, .against, .place", row)), ...all(".whom, thead .apart", board), ...cells.flat(), ...(counted ? [counted] : [])];
    const before = changing.map((one) => ({ one, nodes: [...one.childNodes], kind: one.className, title: one.getAttribute("title") }));
    const words = rows.map((row) => [row.dataset.words, row.className]);
    const pairs = new Map(found.pairs.flatMap((pair, at) => { const [a, b] = pair.of; return [[`${a} ${b}`, { pair, at, way: 1 }], [`${b} ${a}`, { pair, at, way: -1 }]]; }));
    const seen = (a, b, margin) => {
      const { pair, at, way } = pairs.get(`${a} ${b}`), code = margin.verdicts[at], [mean, low, high] = pair.said ?? [];
      if (way > 0) return { ...pair, code };
      return {
        code: { b: "w", w: "b" }[code] ?? code,
        said: pair.said && [mean, high, low].map(turned),
        at: pair.at && [pair.at[0], pair.at[2], pair.at[1]].map((one) => 100000 - one),
        models: pair.models && [turned(pair.models[0]), pair.models[1]],
      };
    };
    const reset = () => {
      for (const { one, nodes, kind, title } of before) { one.replaceChildren(...nodes); one.className = kind; if (title === null) one.removeAttribute("title"); else one.title = title; }
      rows.forEach((row, at) => { [row.dataset.words, row.className] = words[at]; });
      for (const one of [board, matrix, ...marks]) one?.classList.remove("moved");
      for (const mark of marks) if (mark) mark.hidden = true;
    };
    const drawing = (pair, margin) => {
      const [left, right] = margin.shade;
      const own = pair?.at ? [drawn("line", { class: "own", x1: place(pair.at[1]), x2: place(pair.at[2]), y1: 17, y2: 17 }), drawn("circle", { class: "own", cx: place(pair.at[0]), cy: 17, r: 4 })] : [];
      return drawn("svg", { class: "forest", width: "100%", height: 34, "aria-hidden": "true" },
        drawn("rect", { class: "margin", x: place(left), width: place(right - left), y: 0, height: 34 }), drawn("line", { class: "zero", x1: place(found.zero), x2: place(found.zero), y1: 0, y2: 34 }), ...own);
    };
    const leaderboard = (reference, margin, moved) => {
      const name = found.labels[reference];
      board.querySelector(".whom").textContent = `Against ${name}`;
      board.querySelector("thead .apart svg").replaceWith(drawn("svg", { class: "ticks", width: "100%", height: 16, "aria-hidden": "true" }, ...found.ticks.map(([at, label]) => drawn("text", { x: place(at), y: 12, "text-anchor": "middle" }, label))));
      for (const row of rows) {
        const at = found.labels.indexOf(row.dataset.model), pair = at === reference ? null : seen(at, reference, margin);
        row.querySelector(".apart").replaceChildren(drawing(pair, margin));
        const said = element("span", pair ? WORDS[pair.code] : "reference", { className: `verdict ${pair ? KINDS[pair.code] : "reference"}` });
        const figures = !pair ? "" : pair.said ? `${pair.said[0]} [${pair.said[1]}, ${pair.said[2]}]` : pair.models ? `models: ${pair.models.join(", ")}` : "";
        row.querySelector(".against").replaceChildren(said, ...(figures ? [element("small", figures)] : []));
        row.dataset.words = row.dataset.words.replace(/(?:better|worse|practically equal|undecided|not compared|compared with)?$/, pair ? WORDS[pair.code] : "compared with");
        if (moved) { const best = row.querySelector(".place"); best.textContent = margin.places[at]; best.classList.add("moved"); row.classList.toggle("cut", Boolean(margin.cuts[at])); }
      }
    };
    const judged = (margin) => {
      if (counted) { counted.textContent = margin.answer; counted.classList.add("moved"); }
      cells.forEach((row, y) => row.forEach((cell, x) => {
        const [a, b] = [found.matrix[y], found.matrix[x]], pair = a === b ? null : seen(a, b, margin);
        if (!pair?.said) return;
        cell.className = `verdict ${KINDS[pair.code]}`;
        const word = element(cell.querySelector(".sr") ? "span" : "small", WORDS[pair.code]);
        if (cell.querySelector(".sr")) { word.className = "sr"; cell.replaceChildren(word); return; }
        cell.replaceChildren(pair.said[0], word);
        cell.title = `${found.labels[a]} minus ${found.labels[b]}: ${pair.said[0]}, 95 % interval ${pair.said[1]} to ${pair.said[2]}`;
      }));
    };
    return (wanted, chosen) => {
      reset();
      const at = found.labels.indexOf(wanted), able = found.able.includes(at);
      const reference = able ? at : found.reference, margin = found.margins[chosen], moved = chosen !== found.fixed;
      if (reference === found.reference && !moved) return false;
      leaderboard(reference, margin, moved);
      if (moved) judged(margin);
      const stays = wanted && !able ? ` ${wanted} was compared with no other model here.` : "";
      const said = [`compared with ${found.labels[reference]}, margin ${margin.text}.${stays}`, `verdicts at a margin of ${margin.text}. The table of figures below stays at ${found.margins[found.fixed].text}, the spec's.`];
      [[board, marks[0], said[0]], ...(moved && matrix ? [[matrix, marks[1], said[1]]] : [])].forEach(([table, mark, text]) => {
        table.classList.add("moved");
        if (!mark) return; /* a template of one's own may have no place for it; the bar says it all the same */
        mark.replaceChildren(element("b", "Explored, not what the spec fixed: "), text);
        mark.hidden = false;
      });
      return true;
    };
  });
  for (const controls of all("[data-explore]")) {
    const reference = controls.querySelector("[data-reference]"), margin = controls.querySelector("[data-margin]");
    const bar = document.querySelector(".explored > div"), fixed = [...(margin?.options ?? [])].find((one) => one.defaultSelected);
    const limits = all("[data-margin-said]").map((one) => [one, one.textContent]);
    const show = () => {
      const moved = explorations.map((one) => one(reference.value, margin?.value ?? "0")).some(Boolean);
      const other = margin && margin.value !== fixed.value ? margin.selectedOptions[0].label : "";
      bar.hidden = !moved;
      bar.querySelector("span").textContent = [reference.value && `Compared with ${reference.value}.`, other && `Margin ${other}.`].filter(Boolean).join(" ");
      for (const [one, text] of limits) { one.textContent = other ? `${other} (explored)` : text; one.classList.toggle("moved", Boolean(other)); }
      all("input[data-filter]").forEach((input) => input.dispatchEvent(new Event("input")));
    };
    for (const select of [reference, margin]) select?.addEventListener("change", () => { show(); save(); });
    bar.querySelector("button").addEventListener("click", () => { choose(reference); if (margin) choose(margin); show(); save(); reference.focus({ preventScroll: true }); });
    const bare = (text) => text.replace(/\s/g, "");
    keep("reference", () => reference.value || null, (wanted) => { choose(reference, (one) => one.value === wanted); show(); });
    if (margin) keep("margin", () => (margin.value === fixed.value ? null : bare(margin.selectedOptions[0].label)), (wanted) => {
      choose(margin, (one) => bare(one.label) === wanted);
      show();
    });
    controls.hidden = false;
    show(); /* a reloaded page keeps what was chosen */
  }

  for (const bar of all(".datasets")) {
    const select = bar.querySelector("select");
    const blocks = all("[data-of]");
    const show = (wanted) => blocks.forEach((one) => { one.hidden = wanted !== "" && one.dataset.of !== wanted; });
    select.addEventListener("change", () => {
      const read = all("main > section").find((one) => one.getBoundingClientRect().bottom > 0);
      const before = read?.getBoundingClientRect().top;
      show(select.value);
      save();
      if (before < 0) read.scrollIntoView({ behavior: "instant" }); /* what was read stays in sight, though shorter */
    });
    bar.hidden = false;
    show(select.value); /* a reloaded page keeps what was chosen */
    keep("data", () => select.selectedIndex ? (select.value && select.selectedOptions[0].label) : null, (wanted) => { choose(select, (one) => wanted === (one.value && one.label)); show(select.value); });
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

  for (const row of all("tr[data-model]")) {
    row.addEventListener("mouseenter", () => raise(row.dataset.model));
    row.addEventListener("mouseleave", () => raise(null));
  }

  restore();
  window.addEventListener("hashchange", restore);

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((one) => { one.open = false; }); opened = []; });
})();
