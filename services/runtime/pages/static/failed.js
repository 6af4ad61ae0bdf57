// Says when what was asked got no answer: the page stays as it was, and whoever filtered or clicked would not know.
// It is said until the same place asks with success, or is gone. A part of a page may say it by itself instead. A field
// that asks by itself asks the same as its form.
const failed = new Set();
function say() {
  document.getElementById("failed").hidden = ![...failed].some((one) => one.isConnected);
}
// A form that was replaced while it asked is not there to ask again: what stands in its place says it. What is not a
// form asked for nothing but that, and is left.
function place({ target, requestConfig: { elt } }) {
  const form = elt.closest("form");
  return form && !form.isConnected ? document.getElementById(target.id) : form ?? elt;
}
// An answer without the part that was asked for is somebody else's, such as of a network that wants a password first.
// It would leave nothing in that place, and nothing to ask again with.
function whole({ detail }) {
  if (!detail.shouldSwap) return;
  const part = detail.requestConfig.elt.closest("[hx-select]").getAttribute("hx-select");
  if (new DOMParser().parseFromString(detail.serverResponse, "text/html").querySelector(part)) return;
  detail.shouldSwap = false;
  detail.isError = true;
}
// Of the request and its target, not of the document, which hears nothing of what was replaced.
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  detail.target.addEventListener("htmx:beforeSwap", whole);
  detail.xhr.addEventListener("loadend", () => {
    const asked = place(detail);
    if (detail.successful) failed.delete(asked);
    else if ((detail.failed || !detail.xhr.status) && !asked.hasAttribute("data-says-failures")) failed.add(asked);
    say();
  });
});
