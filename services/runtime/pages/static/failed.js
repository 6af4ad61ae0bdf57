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
// Of the request and not of the document, which hears nothing of what was replaced.
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  detail.xhr.addEventListener("loadend", () => {
    const asked = place(detail);
    if (detail.successful) failed.delete(asked);
    else if ((detail.failed || !detail.xhr.status) && !asked.hasAttribute("data-says-failures")) failed.add(asked);
    say();
  });
});
