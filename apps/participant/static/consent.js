// Reading and deciding. The decision is saved on the phone first and then sent.
"use strict";
(() => {
  const { page } = Outbox;
  const byId = (id) => document.getElementById(id);
  const sending = byId("sending");

  function settled(found) {
    if (found.state === "processed") location.replace("/me/consent");
    else if (found.state === "refused") say(page.texts.problem.replace("{sentence}", found.sentence));
    else say(`${page.texts.sent.replace("{receipt}", found.receipt)}. ${page.texts.filing}`);
  }
  function say(text) {
    sending.textContent = text;
    sending.hidden = false;
  }

  async function decide(body) {
    for (const button of document.querySelectorAll("main button, main input")) button.disabled = true;
    say(page.texts.sending);
    const whole = { decided_at: Outbox.now(), ...body };
    let key = "";
    document.addEventListener("outbox", ({ detail }) => {
      const own = detail.messages.find((one) => one.key === key);
      if (own?.state === "sent") Outbox.follow(own.receipt, settled);
      else if (own?.state === "problem") refused(own);
      else if (own && detail.how !== "sent") say(page.texts.waiting);
    });
    key = await Outbox.put("/api/consent", whole, { last: true });
  }
  async function refused(own) {
    say(page.texts.problem.replace("{sentence}", own.sentence));
    await Outbox.forget(own.key);
  }

  const waiting = byId("waiting");
  if (waiting) {
    Outbox.follow(Number(waiting.dataset.receipt), (found) => {
      if (found.state === "processed") location.replace("/me/consent");
      else if (found.state === "refused") waiting.textContent = page.texts.problem.replace("{sentence}", found.sentence);
    });
  }
  byId("withdraw")?.addEventListener("click", () => decide({ decision: "withdrawn" }));

  const steps = [...document.querySelectorAll(".step")];
  if (!steps.length) return;
  const named = { version: page.version, content_sha256: page.content_sha256 };
  let at = 0;
  const reached = new Set();
  const [next, back] = [byId("next"), byId("back")];
  const nextWord = next.textContent;

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) reached.add(steps.findIndex((step) => step.contains(entry.target)));
    allow();
  });
  steps.forEach((step) => seen.observe(step.querySelector(".end")));

  function allow() {
    next.disabled = !reached.has(at);
    byId("scroll").hidden = !next.disabled || at === steps.length - 1;
  }
  function go(to) {
    at = to;
    steps.forEach((step, number) => { step.hidden = number !== at; });
    document.querySelectorAll(".progress li").forEach((dot, number) => dot.classList.toggle("past", number <= at));
    const isDecision = at === steps.length - 1;
    back.hidden = at === 0;
    next.hidden = isDecision;
    next.textContent = at === steps.length - 2 ? next.dataset.last : nextWord;
    byId("declineline").hidden = isDecision;
    steps[at].querySelector("h2").focus();
    scrollTo(0, 0);
    if (isDecision) fit();
    allow();
  }
  next.addEventListener("click", () => go(at + 1));
  back.addEventListener("click", () => go(at - 1));
  document.querySelector(".progress li").classList.add("past");

  const pad = new SignaturePad(byId("pad"), { penColor: "#102030", minWidth: 1, maxWidth: 3 });
  let width = 0;
  // Turning the phone changes the canvas; the strokes are kept and drawn again in the new width.
  function fit() {
    const canvas = byId("pad"), wide = canvas.clientWidth, ratio = Math.max(devicePixelRatio || 1, 1);
    if (!wide || wide === width) return;
    const data = pad.toData();
    if (width) for (const stroke of data) for (const point of stroke.points) point.x *= wide / width;
    width = wide;
    canvas.width = wide * ratio;
    canvas.height = canvas.clientHeight * ratio;
    canvas.getContext("2d").scale(ratio, ratio);
    pad.fromData(data);
  }
  addEventListener("resize", fit);

  const way = () => document.querySelector('input[name="way"]:checked').value;
  const name = byId("name");
  const isSigned = () => (way() === "drawn" ? !pad.isEmpty() : name.value.trim().length > 1);
  function ready() {
    byId("drawn").hidden = way() !== "drawn";
    byId("typed").hidden = way() !== "typed";
    byId("yes").disabled = !(byId("agree").checked && isSigned());
    byId("undo").disabled = byId("clear").disabled = pad.isEmpty();
  }
  pad.addEventListener("endStroke", ready);
  byId("clear").addEventListener("click", () => { pad.clear(); ready(); });
  byId("undo").addEventListener("click", () => { pad.fromData(pad.toData().slice(0, -1)); ready(); });
  byId("agree").addEventListener("change", ready);
  name.addEventListener("input", ready);
  document.querySelectorAll('input[name="way"]').forEach((one) => one.addEventListener("change", () => { ready(); fit(); }));
  ready();

  function strokes() {
    const canvas = byId("pad"), round = (value) => Math.round(value * 10000) / 10000;
    return pad.toData().map((stroke) => stroke.points.map((point) => [round(point.x / canvas.clientWidth), round(point.y / canvas.clientWidth)]));
  }
  byId("yes").addEventListener("click", () => {
    const mark = way() === "drawn" ? { strokes: strokes() } : { typed_name: name.value.trim() };
    decide({ decision: "agreed", is_certified: byId("agree").checked, method: way(), ...mark, ...named });
  });
  const decline = () => decide({ decision: "declined", ...named });
  byId("no").addEventListener("click", decline);
  byId("decline").addEventListener("click", decline);
})();
