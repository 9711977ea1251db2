// Asks every two seconds whether there is a newer report, and takes it: not while somebody types or has marked text.
(() => {
  "use strict";
  const shown = document.currentScript.dataset.version, since = Date.now();
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  Object.assign(note.style, {
    position: "fixed", right: "8px", bottom: "8px", margin: 0, padding: "4px 10px", zIndex: 10, maxWidth: "90vw",
    background: "Canvas", color: "CanvasText", border: "1px solid", borderRadius: "6px", font: "13px system-ui",
  });
  document.body.append(note);
  addEventListener("beforeprint", () => { note.hidden = true; });
  addEventListener("afterprint", () => { note.hidden = false; });
  const busy = () => document.activeElement?.matches("input, select, textarea") || String(getSelection()) !== "";
  const say = (text) => { if (note.textContent !== text) note.textContent = text; };
  const look = async () => {
    try {
      const found = await (await fetch("/version", { cache: "no-store" })).json();
      if (found.version !== shown && Date.now() - since > 4000 && !busy()) return location.reload();
      say(found.note);
    } catch {
      say("arena watch has ended: this page is not refreshed any more");
    }
    setTimeout(look, 2000);
  };
  look();
})();
