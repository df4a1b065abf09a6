/* Before the session ends: say so, let the person stay, and keep what was typed if it ends after all. */
(() => {
  "use strict";
  const WARN = 120, SEEN_EVERY = 60, LOOK_EVERY = 60;
  const dialog = document.getElementById("ending");
  if (!dialog) return;
  const words = dialog.querySelector("[data-words]"), stay = dialog.querySelector("[data-stay]");
  const again = dialog.querySelector("[data-again]"), leave = dialog.querySelector("[data-leave]");
  const place = `metricis typed ${location.pathname}`;
  let ends = Infinity, last = Infinity, form = "", seen = Date.now(), looked = 0, isOver = false;

  // -- what was typed: kept in this tab alone, put back once -----------------------------------------------------
  const fields = (from = document.getElementById("main"), found = []) => {
    for (const one of from.querySelectorAll("*")) {
      if (one.matches("textarea, input[type=text], input[type=number], input:not([type])")) found.push(one);
      if (one.shadowRoot) fields(one.shadowRoot, found);
    }
    return found;
  };
  const name = (field, n) =>
    field.getAttribute("aria-label") || field.labels?.[0]?.textContent?.trim() || field.placeholder || `field ${n}`;
  const typed = new Set();
  document.addEventListener("input", (event) => typed.add(event.composedPath()[0]), true);
  const keep = () => {
    const held = fields().map((one, n) => [name(one, n), one.value, typed.has(one)]).filter(([, value, own]) => own && value);
    if (held.length) sessionStorage.setItem(place, JSON.stringify(held.map(([key, value]) => [key, value])));
  };
  const write = (field, value) => {
    const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    for (const what of ["input", "change"]) field.dispatchEvent(new Event(what, { bubbles: true, composed: true }));
  };
  const putBack = () => {
    const held = JSON.parse(sessionStorage.getItem(place) || "[]");
    if (!held.length) return;
    const began = Date.now();
    const trying = setInterval(() => {
      const open = fields();
      for (const [key, value] of held.splice(0, held.length)) {
        const found = open.find((one, n) => name(one, n) === key && !one.value);
        if (found) write(found, value); else held.push([key, value]);
      }
      if (!held.length || Date.now() - began > 20000) {
        clearInterval(trying);
        sessionStorage.removeItem(place);
      }
    }, 500);
  };

  // -- how long is left --------------------------------------------------------------------------------------------
  const told = (state) => {
    const now = Date.now();
    ends = now + state.seconds_left * 1000;
    last = now + state.seconds_at_most * 1000;
    form = state.form || form;
    document.querySelectorAll('form[action="/sign-out"] input[name="form"]').forEach((one) => { one.value = form; });
    if (!state.seconds_left) over();
  };
  const ask = async (options) => {
    looked = Date.now();
    try {
      const answer = await fetch("/session", options);
      if (answer.ok || answer.status === 401) return told(answer.status === 401 ? { seconds_left: 0, seconds_at_most: 0 } : await answer.json());
      if (answer.status === 403) return ask();
    } catch (error) {
      // No connection: the page says so by itself, and asks again at the next look.
    }
    return undefined;
  };
  const here = () => ask({
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ form }),
  });
  const over = () => {
    if (isOver) return;
    isOver = true;
    keep();
    words.textContent = sessionStorage.getItem(place)
      ? "You were signed out. What you typed here is kept in this tab: sign in again and it is put back."
      : "You were signed out. Sign in again to go on here.";
    again.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
    again.hidden = false;
    stay.hidden = leave.hidden = true;
    if (!dialog.open) dialog.showModal();
    again.focus();
  };
  const tick = () => {
    if (isOver || ends === Infinity) return;
    const now = Date.now(), left = Math.round((ends - now) / 1000);
    if (now - looked > (left < WARN + 30 ? 10 : LOOK_EVERY) * 1000) ask();
    if (left <= 0) return void ask();
    if (left > WARN) {
      if (dialog.open) dialog.close();
      return;
    }
    const clock = left >= 60 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left} s`;
    const isLast = last - ends < 1000;
    words.textContent = isLast
      ? `You have been signed in for twelve hours. In ${clock} you have to sign in again; what you type is kept.`
      : `Nobody has used this page for a while. You will be signed out in ${clock}.`;
    stay.hidden = isLast;
    if (!dialog.open) dialog.showModal();
    keep();
  };

  stay.addEventListener("click", async () => { await here(); if (!isOver) dialog.close(); });
  leave.addEventListener("click", () => document.querySelector('form[action="/sign-out"]')?.requestSubmit());
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); if (!isOver && !stay.hidden) stay.click(); });
  const alive = () => {
    if (isOver || dialog.open || Date.now() - seen < SEEN_EVERY * 1000) return;
    seen = Date.now();
    here();
  };
  ["keydown", "pointerdown", "input"].forEach((what) => document.addEventListener(what, alive, true));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("close", () => ask());
    }
  };
  ask().then(putBack);
  setInterval(tick, 1000);
})();
