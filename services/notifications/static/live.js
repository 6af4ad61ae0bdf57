// Says on the page whether the stream stands. Without this script, or without the stream, the page is read by
// loading it again.
for (const [event, state] of [["htmx:sseOpen", "open"], ["htmx:sseError", "lost"]]) {
  document.addEventListener(event, () => {
    for (const sign of document.querySelectorAll("[data-live]")) sign.dataset.live = state;
  });
}
