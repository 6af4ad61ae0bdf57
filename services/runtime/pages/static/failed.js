// Says when what was asked got no answer: the page stays as it was, and whoever filtered or clicked would not know.
// It is said until the same place asks with success, or is gone. A part of a page may say it by itself instead. A field
// that asks by itself asks the same as its form.
const failed = new Set();
function say() {
  document.getElementById("failed").hidden = ![...failed].some((one) => one.isConnected);
}
const place = ({ requestConfig: { elt } }) => elt.closest("form") ?? elt;
for (const event of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(event, ({ detail }) => {
    const asked = place(detail);
    if (!asked.hasAttribute("data-says-failures")) failed.add(asked);
    say();
  });
}
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) failed.delete(place(detail));
  say();
});
