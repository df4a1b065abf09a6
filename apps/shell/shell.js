/* Keys, theme, drawer, hints and downloads. Only what the server cannot do. */
(() => {
  "use strict";
  const root = document.documentElement;

  // -- the connection: say so when it is gone for more than a moment -------------------------------------------------
  const Plain = window.WebSocket;
  let alive = 0;
  const told = () => document.querySelector(".lost")?.toggleAttribute("hidden", alive > 0);
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => { alive += 1; told(); });
      this.addEventListener("close", () => { alive = Math.max(0, alive - 1); setTimeout(told, 4000); });
    }
  };

  const deep = (selector, from = document) => {
    const found = from.querySelector(selector);
    if (found) return found;
    for (const one of from.querySelectorAll("*")) {
      if (one.shadowRoot) {
        const inner = deep(selector, one.shadowRoot);
        if (inner) return inner;
      }
    }
    return null;
  };
  const origin = (event) => event.composedPath()[0];

  // -- theme ---------------------------------------------------------------------------------------------------
  const paint = (theme) => {
    root.dataset.theme = theme;
    document.cookie = `metricis_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  };
  document.querySelectorAll("[data-theme-toggle]").forEach((button) =>
    button.addEventListener("click", () => paint(root.dataset.theme === "dark" ? "light" : "dark")));

  // -- drawer and menus ----------------------------------------------------------------------------------------
  const menu = document.getElementById("menu-button");
  const rail = document.getElementById("rail");
  const drawer = (open) => {
    document.body.classList.toggle("rail-open", open);
    menu?.setAttribute("aria-expanded", String(open));
    if (open) rail?.querySelector("a, input")?.focus();
  };
  menu?.addEventListener("click", () => drawer(!document.body.classList.contains("rail-open")));
  document.querySelector(".scrim")?.addEventListener("click", () => drawer(false));
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((one) => {
      if (!event.composedPath().includes(one)) one.open = false;
    });
  });

  // -- keys ----------------------------------------------------------------------------------------------------
  const keys = document.getElementById("keys");
  const go = JSON.parse(document.getElementById("go")?.textContent || "{}");
  let waiting = 0;
  const isTyping = (element) =>
    element.isContentEditable || ["TEXTAREA", "SELECT"].includes(element.tagName) ||
    (element.tagName === "INPUT" && !["checkbox", "radio", "button"].includes(element.type));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const held = document.body.classList.contains("rail-open");
      drawer(false);
      if (held) menu?.focus();
      document.querySelectorAll("details.menu[open]").forEach((one) => {
        one.open = false;
        one.querySelector("summary").focus();
      });
      return;
    }
    const element = origin(event);
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(element)) return;
    if (Date.now() - waiting < 1500 && go[event.key]) {
      waiting = 0;
      location.assign(go[event.key]);
      event.preventDefault();
    } else if (event.key === "g") {
      waiting = Date.now();
    } else if (event.key === "/") {
      const field = [...document.querySelectorAll("input[name=q]")].find((one) => one.offsetParent);
      if (field) field.focus();
      else if (menu) { drawer(true); rail.querySelector("input[name=q]")?.focus(); }
      event.preventDefault();
    } else if (event.key === "?") {
      keys?.showModal();
    } else if (event.key === "j" || event.key === "k") {
      const link = deep(event.key === "j" ? "[data-next]" : "[data-previous]");
      if (link) location.assign(link.href);
    } else if (event.key.startsWith("Arrow")) {
      walk(event, element);
    }
  });
  const walk = (event, element) => {
    const cell = element.closest?.("td, th");
    if (!cell || !cell.closest("table.grid")) return;
    const row = cell.parentElement;
    const at = [...row.children].indexOf(cell);
    const next = {
      ArrowRight: () => cell.nextElementSibling, ArrowLeft: () => cell.previousElementSibling,
      ArrowDown: () => row.nextElementSibling?.children[at], ArrowUp: () => row.previousElementSibling?.children[at],
    }[event.key]?.()?.querySelector("a");
    if (next) {
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
      event.preventDefault();
    }
  };

  // -- hints: hover or focus gives the words ---------------------------------------------------------------------
  const tip = document.getElementById("tip");
  const hint = (element) => {
    const text = element?.closest?.(".c, [data-tip]");
    const words = text && (text.dataset.tip || text.getAttribute("aria-label"));
    if (!words) return tip.classList.remove("on");
    tip.textContent = words;
    const box = text.getBoundingClientRect();
    tip.classList.add("on");
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left + box.width / 2 - width / 2))}px`;
    tip.style.top = `${box.top - height - 6 < 60 ? box.bottom + 6 : box.top - height - 6}px`;
  };
  document.addEventListener("mouseover", (event) => hint(origin(event)));
  document.addEventListener("focusin", (event) => hint(origin(event)));
  document.addEventListener("scroll", () => tip.classList.remove("on"), true);

  // -- charts as files -------------------------------------------------------------------------------------------
  const keep = (blob, name) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const drawing = (chart) => {
    const copy = chart.cloneNode(true);
    const live = [chart, ...chart.querySelectorAll("*")], dead = [copy, ...copy.querySelectorAll("*")];
    live.forEach((one, n) => {
      const style = getComputedStyle(one);
      ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font"].forEach((name) =>
        dead[n].style.setProperty(name, style.getPropertyValue(name)));
    });
    const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  };
  document.addEventListener("click", (event) => {
    const button = origin(event).closest?.("[data-save]");
    if (!button) return;
    const figure = button.closest("figure"), name = figure.dataset.name;
    if (button.dataset.save === "csv") {
      const rows = [...figure.querySelectorAll("table tr")].map((row) =>
        [...row.children].map((cell) => `"${cell.textContent.trim().replaceAll('"', '""')}"`).join(","));
      return keep(new Blob([rows.join("\r\n") + "\r\n"], { type: "text/csv" }), `${name}.csv`);
    }
    const made = drawing([...figure.querySelectorAll("svg.chart")].find((one) => getComputedStyle(one).display !== "none"));
    if (button.dataset.save === "svg") return keep(new Blob([made.text], { type: "image/svg+xml" }), `${name}.svg`);
    const picture = new Image();
    picture.onload = () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: made.width * 2, height: made.height * 2 });
      const pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(root).getPropertyValue("--mx-surface") || "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => keep(blob, `${name}.png`));
    };
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(made.text)}`;
  });

  // -- the page is here; the connection is gone --------------------------------------------------------------------
  const began = Date.now();
  const size = (from) => {
    let found = 0;
    for (const one of from.querySelectorAll("*")) found += 1 + (one.shadowRoot ? size(one.shadowRoot) : 0);
    return found;
  };
  let before = 0;
  // The page is here when its heading can be seen and nothing was added since the last look.
  const here = setInterval(() => {
    const bokeh = window.Bokeh, main = document.getElementById("main");
    const isDrawn = () => deep("h1", main)?.checkVisibility({ visibilityProperty: true });
    const now = bokeh?.index?.roots?.length && bokeh.index.roots.every((one) => one.is_idle) && isDrawn() ? size(main) : 0;
    const isStill = now > 0 && now === before;
    before = now;
    if (isStill) {
      document.body.classList.add("is-here");
      document.getElementById("main").setAttribute("aria-busy", "false");
      clearInterval(here);
    } else if (Date.now() - began > 30000) {
      document.querySelector(".lost")?.removeAttribute("hidden");
      clearInterval(here);
    }
  }, 80);
})();
