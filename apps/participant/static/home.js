// The task list: what is still on this phone is shown on its card.
"use strict";
(() => {
  const { page } = Outbox;
  let followed = null;

  function show(card, state, text) {
    const line = card.querySelector(".state");
    line.className = `state ${state}`;
    line.replaceChildren(document.getElementById(`icon-${state}`).content.cloneNode(true));
    const word = document.createElement("span");
    word.className = "word";
    word.textContent = text;
    line.append(word);
    const open = card.querySelector(".open");
    if (open && state === "saved") open.remove();
  }

  document.addEventListener("outbox", ({ detail }) => {
    for (const card of document.querySelectorAll("article.task")) {
      if (card.dataset.state === "done") continue;
      const own = detail.messages.filter((one) => one.about.last && one.about.outcome !== "left"
        && (one.about.assignment || "consent") === (card.dataset.assignment || "consent"));
      const last = own.at(-1);
      if (last?.state === "waiting") show(card, "saved", page.texts.saved);
      else if (last?.state === "sent" && card.dataset.assignment) {
        show(card, "sent", page.texts.sent.replace("{receipt}", last.receipt));
        follow(last.receipt);
      }
    }
    const consent = document.querySelector('article[data-kind="consent"][data-state="sent"]');
    const waiting = detail.messages.filter((one) => !one.about.assignment && one.state === "sent").at(-1);
    if (consent && waiting) follow(waiting.receipt);
  });

  // When it is filed the list is asked for again, once.
  async function follow(receipt) {
    if (followed === receipt || sessionStorage.getItem(`seen-${receipt}`)) return;
    followed = receipt;
    await Outbox.follow(receipt, (found) => {
      if (!["processed", "refused"].includes(found.state)) return;
      sessionStorage.setItem(`seen-${receipt}`, "1");
      location.reload();
    });
  }
})();
