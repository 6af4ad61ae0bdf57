// Says when what was asked got no answer: the page stays as it was, and whoever filtered or clicked would not know.
// It is said until the same place asks with success, or is gone. A part of a page may say it by itself instead.
const failed = new Set();
function say() {
  document.getElementById("failed").hidden = ![...failed].some((one) => one.isConnected);
}
for (const event of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(event, ({ detail }) => {
    const asked = detail.requestConfig.elt;
    if (!asked.hasAttribute("data-says-failures")) failed.add(asked);
    say();
  });
}
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) failed.delete(detail.requestConfig.elt);
  say();
});
