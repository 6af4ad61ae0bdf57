// Says when nothing answers any more: what stands here would be taken for what is now.
const PATIENCE = 15; // seconds, three looks
let answered = performance.now();
let waited = 0; // counted and not measured: where a browser slows a page down, it slows its requests as well
let failed = false;
document.addEventListener("htmx:afterSwap", () => {
  answered = performance.now();
  waited = 0;
  failed = false;
});
for (const event of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(event, () => {
    failed = true;
    say();
  });
}
setInterval(() => {
  waited += 1;
  if (failed || waited > PATIENCE) say();
}, 1000);

function say() {
  for (const verdict of document.querySelectorAll("#now .verdict")) verdict.hidden = verdict.id !== "silent";
  document.getElementById("silent-seconds").textContent = Math.round((performance.now() - answered) / 1000);
}
