// On every page of the phone view: what is saved and sent is told, signing out never loses anything, pages open offline.
"use strict";
(() => {
  const { page } = Outbox;
  const strip = document.getElementById("strip");
  const say = (text) => { strip.textContent = text; strip.hidden = !text; };

  document.addEventListener("outbox", ({ detail }) => {
    const problem = detail.messages.find((one) => one.state === "problem");
    if (detail.how === "signed-out") say(page.texts.signed_out);
    else if (problem) say(`${page.texts.problem.replace("{sentence}", problem.sentence)} ${page.texts.kept}`);
    else if (!navigator.onLine) say(page.texts.offline);
    else if (detail.waiting && detail.how !== "sent") say(page.texts.waiting);
    else say("");
  });

  const form = document.getElementById("sign-out");
  const leave = document.getElementById("leave");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const waiting = (await Outbox.mine().catch(() => [])).filter((one) => one.state !== "sent").length;
    if (!waiting) return signOut();
    document.getElementById("leave-text").textContent = page.texts.leave_text.replace("{count}", waiting);
    leave.showModal();
  });
  document.getElementById("leave-stay").addEventListener("click", () => leave.close());
  document.getElementById("leave-go").addEventListener("click", signOut);
  async function signOut() {
    await Outbox.forgetSent().catch(() => {});
    if ("caches" in window) await caches.delete("metricis-pages").catch(() => false);
    form.submit();
  }

  if ("serviceWorker" in navigator) {
    // A page that the worker did not see come in is fetched once more, so that it opens without a network next time.
    const isUnseen = !navigator.serviceWorker.controller && performance.getEntriesByType("navigation")[0]?.responseStatus === 200;
    navigator.serviceWorker.register("/me/sw.js", { scope: "/me" }).then(() => navigator.serviceWorker.ready).then((one) => {
      const files = performance.getEntriesByType("resource").map((each) => new URL(each.name))
        .filter((each) => each.origin === location.origin && each.pathname.startsWith("/assets/")).map((each) => each.pathname + each.search);
      one.active.postMessage({ page: isUnseen ? location.pathname + location.search : "", files });
    }).catch(() => {});
  }
  Outbox.setClock().catch(() => {});
  // Whatever waited since the last visit goes out first.
  Outbox.flush();
})();
