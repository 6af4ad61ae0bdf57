// What is asked again is no further page to go back through, as where a browser asks.
document.addEventListener("htmx:beforeHistoryUpdate", ({ detail: { history: update } }) => {
  if (update.path === location.pathname + location.search) update.type = "replace";
});
