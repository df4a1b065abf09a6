// What a participant did waits here (IndexedDB) until the edge gave a receipt, and is then removed from the phone.
//
// messages: one row each, by idempotency key; sent in the order in which they were made, again and again with growing
//           pauses, always with the same key: the edge answers a repeat with the first receipt.
// trials:   what a running task made so far, by (session, trial number).
// runs:     one row for each start of a task, so that a reload knows that one was left in the middle.
"use strict";
const Outbox = (() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const PAUSES = [1, 2, 4, 8, 15, 30, 60];
  const FINAL = new Set([400, 403, 404, 405, 409, 413, 415, 422]);
  let opened = null, timer = null, tries = 0, busy = null;

  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

  function database() {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("metricis", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("messages", { keyPath: "key" });
        request.result.createObjectStore("trials", { keyPath: ["session", "trial_index"] });
        request.result.createObjectStore("runs", { keyPath: "session" });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return opened;
  }

  // Resolves when the transaction is complete, so that what is told as saved is saved.
  async function write(stores, change) {
    const db = await database();
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(stores, "readwrite", { durability: "strict" });
      const result = change(transaction);
      transaction.oncomplete = () => resolve(result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  async function all(store) {
    const db = await database();
    return done(db.transaction(store).objectStore(store).getAll());
  }

  function newId() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const b = crypto.getRandomValues(new Uint8Array(16));
    b[6] = (b[6] & 15) | 64;
    b[8] = (b[8] & 63) | 128;
    const hex = [...b].map((one) => one.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  // The server's time as this phone knows it: instants from two phones can be compared, whatever their clocks say.
  function now() {
    return new Date(Date.now() + Number(localStorage.getItem("metricis-clock") || 0)).toISOString();
  }
  async function setClock() {
    const before = Date.now();
    const answer = await fetch("/api/health", { cache: "no-store" });
    const then = Date.parse((await answer.json()).now);
    if (then) localStorage.setItem("metricis-clock", String(Math.round(then - (before + Date.now()) / 2)));
  }

  function message(address, body, about) {
    return { key: newId(), who: page.who, address, body: JSON.stringify(body), about, made: Date.now(), state: "waiting", receipt: null, sentence: "" };
  }

  async function put(address, body, about = {}) {
    const one = message(address, body, about);
    await write(["messages"], (t) => t.objectStore("messages").put(one));
    tries = 0;
    flush();
    return one.key;
  }

  async function mine() {
    return (await all("messages")).filter((one) => one.who === page.who).sort((a, b) => a.made - b.made);
  }

  function flush() {
    busy ??= send().catch(() => "later").then((how) => {
      busy = null;
      clearTimeout(timer);
      if (how === "later") {
        timer = setTimeout(flush, PAUSES[Math.min(tries, PAUSES.length - 1)] * 1000 * (0.75 + Math.random() / 2));
        tries += 1;
      }
      tell(how);
    });
    return busy;
  }

  async function send() {
    const under = (work) => navigator.locks ? navigator.locks.request("metricis-outbox", work) : work();
    return under(async () => {
      for (const one of (await mine()).filter((each) => each.state === "waiting")) {
        const how = await sendOne(one);
        if (how !== "sent") return how;
      }
      tries = 0;
      return "all";
    });
  }

  async function sendOne(one) {
    let answer;
    try {
      answer = await fetch(one.address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": one.key, "Metricis-Who": encodeURIComponent(one.who) },
        body: one.body,
        signal: AbortSignal.timeout ? AbortSignal.timeout(20000) : undefined,
      });
    } catch {
      return "later";
    }
    if (answer.status === 401) return "signed-out";
    if (!answer.ok && !FINAL.has(answer.status)) return "later";
    const said = await answer.json().catch(() => null);
    if (said === null) return "later";
    if (answer.ok) await sent(one, said);
    else await write(["messages"], (t) => t.objectStore("messages").put({ ...one, state: "problem", sentence: said.sentence }));
    tell("sent");
    return "sent";
  }

  // Removes the body and the trials it carried: a receipt is all that stays on the phone.
  async function sent(one, said) {
    await write(["messages", "trials", "runs"], (t) => {
      t.objectStore("messages").put({ ...one, body: "", state: "sent", receipt: said.receipt });
      for (const index of one.about.trials || []) t.objectStore("trials").delete([one.about.session, index]);
      if (one.about.last && one.about.outcome === "left") t.objectStore("runs").delete(one.about.session);
    });
  }

  async function tell(how) {
    const messages = await mine().catch(() => []);
    const waiting = messages.filter((one) => one.state === "waiting").length;
    document.dispatchEvent(new CustomEvent("outbox", { detail: { how, waiting, messages } }));
  }

  async function forget(key) {
    await write(["messages"], (t) => t.objectStore("messages").delete(key));
  }

  // What was sent is removed when somebody signs out; what was not, or was not accepted, stays.
  async function forgetSent() {
    const gone = (await mine()).filter((one) => one.state === "sent").map((one) => one.key);
    await write(["messages"], (t) => gone.forEach((key) => t.objectStore("messages").delete(key)));
  }

  async function receiptState(number) {
    const answer = await fetch(`/api/receipts/${number}`, {
      cache: "no-store", headers: { "Metricis-Who": encodeURIComponent(page.who) },
    });
    return answer.ok ? answer.json() : null;
  }

  // The copy of the task list that opens without a network is made anew, so that it does not tell old news.
  async function renew() {
    if (!("caches" in window)) return;
    const fresh = await fetch("/me", { cache: "no-store" }).catch(() => null);
    if (fresh?.ok && !fresh.redirected) await (await caches.open("metricis-pages")).put(new URL("/me", location.origin).href, fresh);
  }

  // Asks what became of a receipt until it is settled; `told` hears every state.
  async function follow(number, told, patience = 40) {
    for (let round = 0; round < patience; round += 1) {
      const found = await receiptState(number).catch(() => null);
      if (found && ["processed", "refused"].includes(found.state)) {
        await renew();
        return told(found);
      }
      if (found) told(found);
      await new Promise((resolve) => setTimeout(resolve, round < 12 ? 500 : 3000));
    }
    return null;
  }

  addEventListener("online", () => { tries = 0; flush(); });
  addEventListener("offline", () => tell("offline"));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });

  return { page, put, message, mine, flush, now, setClock, newId, all, write, forget, forgetSent, follow, tell };
})();
