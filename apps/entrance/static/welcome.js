// The token stands behind `#`, which browsers never send: whoever merely opens the address spends nothing.
"use strict";
(() => {
  const form = document.getElementById("welcome");
  const token = location.hash.slice(1);
  if (/^[A-Za-z0-9_-]{20,}$/.test(token)) {
    form.elements.token.value = token;
    history.replaceState(null, "", "/welcome");
  }
  const has = form.elements.token.value !== "";
  form.hidden = !has;
  document.getElementById("missing").hidden = has;
})();
