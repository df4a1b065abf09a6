// The token stands behind `#`, which browsers never send. It leaves the browser only in the body of the POST that a
// person makes with the button: whoever merely opens the address (mail scanners do, scripts and all) spends nothing.
"use strict";
(() => {
  const token = decodeURIComponent(location.hash.slice(1));
  const form = document.getElementById("link");
  if (!/^[A-Za-z0-9_-]{20,}$/.test(token)) {
    document.getElementById("missing").hidden = false;
    return;
  }
  form.hidden = false;
  form.elements.token.value = token;
  form.addEventListener("submit", () => history.replaceState(null, "", "/link"));
})();
