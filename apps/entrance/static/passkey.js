// Passkeys: ask the server what to sign, let the browser sign it, send the answer. Without a passkey nothing is shown.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const words = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const send = async (address, fields) => {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ form: document.body.dataset.form, ...fields }),
    });
    return answer.json();
  };

  const opened = (options) => {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const list of [options.allowCredentials, options.excludeCredentials]) {
      (list || []).forEach((one) => { one.id = bytes(one.id); });
    }
    return options;
  };

  const closed = (made) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[name]) response[name] = words(made.response[name]);
    }
    if (made.response.getTransports) response.transports = made.response.getTransports();
    return JSON.stringify({
      id: made.id, rawId: words(made.rawId), type: made.type, response,
      clientExtensionResults: made.getClientExtensionResults(),
    });
  };

  const run = async (box) => {
    const button = box.querySelector("button"), notice = box.querySelector(".notice");
    const tell = (text) => { notice.textContent = text; notice.hidden = false; };
    button.disabled = true;
    notice.hidden = true;
    try {
      const asked = await send(box.dataset.options, {});
      if (asked.next) return location.assign(asked.next);
      if (asked.sentence) return tell(asked.sentence);
      const made = await navigator.credentials[box.dataset.passkey]({ publicKey: opened(asked) });
      const answer = await send(box.dataset.answer, { answer: closed(made) });
      if (answer.next) return location.assign(answer.next);
      tell(answer.sentence || box.dataset.failed);
    } catch (error) {
      tell(box.dataset.failed);
    } finally {
      button.disabled = false;
    }
  };

  if (!window.PublicKeyCredential) return;
  document.querySelectorAll("[data-with-passkey]").forEach((one) => { one.hidden = false; });
  document.querySelectorAll("[data-passkey]").forEach((box) => {
    box.hidden = false;
    box.querySelector("button").addEventListener("click", () => run(box));
  });
})();
