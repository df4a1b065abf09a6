// Keeps the phone's pages usable without a network: files are kept by their version, pages as they were seen last.
// Nothing that a participant enters passes through here (see outbox.js).
"use strict";
const FILES = "metricis-files-{{version}}";
const PAGES = "metricis-pages";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("metricis-files-") && name !== FILES) await caches.delete(name);
  await self.clients.claim();
})()));

// The first page was loaded before this worker was there, so it tells what it is made of.
self.addEventListener("message", (event) => event.waitUntil((async () => {
  const files = await caches.open(FILES);
  for (const file of event.data.files) if (!(await files.match(file))) await files.add(file).catch(() => {});
  if (event.data.page) await fromNetwork(new Request(event.data.page, { credentials: "same-origin" })).catch(() => {});
})()));

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== location.origin) return;
  if (address.pathname.startsWith("/assets/")) event.respondWith(fromFiles(event.request));
  else if (event.request.mode === "navigate") event.respondWith(fromNetwork(event.request).catch(() => fromPages(event.request)));
});

async function fromFiles(request) {
  const files = await caches.open(FILES);
  const kept = await files.match(request);
  if (kept) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await files.put(request, fresh.clone());
  return fresh;
}

async function fromNetwork(request) {
  const fresh = await fetch(request);
  if (fresh.ok && !fresh.redirected && fresh.type === "basic") await (await caches.open(PAGES)).put(request.url, fresh.clone());
  return fresh;
}

async function fromPages(request) {
  const pages = await caches.open(PAGES);
  return (await pages.match(request.url)) || (await pages.match(new URL("/me", location.origin).href)) || Response.error();
}
