// Says on the page whether the stream stands. Without this script, or without the stream, the page is read by
// loading it again.
for (const [event, state] of [["htmx:sseOpen", "open"], ["htmx:sseError", "lost"]]) {
  document.addEventListener(event, () => {
    for (const sign of document.querySelectorAll("[data-live]")) sign.dataset.live = state;
  });
}

// What comes while the page asks or swaps finds nobody who listens: it is asked for when that is done.
let heard = 0;
const hear = () => { heard += 1; };
document.addEventListener("htmx:sseOpen", ({ detail }) => {
  for (const name of ["alert", "unread"]) detail.source.addEventListener(name, hear);
});
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  detail.requestConfig.heard = heard;
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.requestConfig?.heard < heard) htmx.trigger("#alerts", "sse:alert");
});

// Another answer may have replaced meanwhile what was asked for, which then says nothing to the document: filters go on
// to what stands there now, and what was asked by something that is gone is left, for it was as old. An error's answer
// stays one: it takes no place. What is to keep its place is remembered then too.
const replaced = ({ detail }) => {
  if (detail.target.isConnected) return;
  detail.target = document.getElementById("alerts");
  detail.shouldSwap &&= detail.requestConfig.elt.isConnected;
  document.dispatchEvent(new Event("htmx:beforeSwap"));
};
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  detail.target.addEventListener("htmx:beforeSwap", replaced);
});

// What is said to who does not see the page is not said again while it is the same.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  detail.shouldSwap = detail.target.textContent !== detail.fragment.textContent;
});

// The button of an alert that was opened is gone, and the focus with it: it goes on to the next one.
const buttons = () => [...document.querySelectorAll("#alerts .notice button")];
let place = null;
document.addEventListener("htmx:beforeSwap", () => {
  const held = document.activeElement;
  place = held.closest("#alerts") ? Math.max(0, buttons().indexOf(held)) : null;
});
document.addEventListener("htmx:afterSwap", () => {
  if (place === null || document.activeElement !== document.body) return;
  const left = buttons();
  (left[place] ?? left.at(-1) ?? document.getElementById("unread"))?.focus();
});

// The next one also comes to where the pointer is, and at once: who clicks twice or holds the key has not read that one.
document.addEventListener("click", (event) => {
  if (event.detail > 1 && event.target.closest("#alerts .notice button")) event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.repeat && event.key === "Enter" && event.target.closest("#alerts .notice button")) event.preventDefault();
});

// What one reads stays in its place when notices come or go above it. The browser's own anchor may hold on to one that
// was opened and follow it to the end. Notices from the first in view on are remembered: one of them stays among its own.
document.documentElement.style.overflowAnchor = "none";
const among = (heading) => heading.closest("section").getAttribute("aria-labelledby");
let inView = [];
document.addEventListener("htmx:beforeSwap", () => {
  inView = (scrollY > 0 ? [...document.querySelectorAll("#alerts .notice h3")] : [])
    .map((heading) => ({ id: heading.id, list: among(heading), top: heading.getBoundingClientRect().top }))
    .filter(({ top }) => top >= 0);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const { id, list, top } of inView) {
    const heading = document.getElementById(id);
    if (!heading || among(heading) !== list) continue;
    scrollBy({ top: heading.getBoundingClientRect().top - top, behavior: "instant" });
    break;
  }
  inView = [];
});
