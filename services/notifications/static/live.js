// Says on the page whether the stream stands. Without this script, or without the stream, the page is read by
// loading it again.
for (const [event, state] of [["htmx:sseOpen", "open"], ["htmx:sseError", "lost"]]) {
  document.addEventListener(event, () => {
    for (const sign of document.querySelectorAll("[data-live]")) sign.dataset.live = state;
  });
}

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
