// Who had the focus within what is replaced has it within what comes, and does not begin again at the top of the page.
let within = false;
document.addEventListener("htmx:beforeSwap", ({ target }) => {
  within = target.contains(document.activeElement);
});
document.addEventListener("htmx:afterSwap", ({ target }) => {
  if (within && document.activeElement === document.body) target.focus({ preventScroll: true });
});
