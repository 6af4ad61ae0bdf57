// Repeats in the reader's browser what a page of the log claims, from nothing but what the page shows and, where the
// reader has it from elsewhere, the log's key. The texts are the page's own: a check that was made takes its
// `data-good`, `data-bad` or `data-unknown`; `data-good-own` and `data-bad-own` where the reader's key was used.

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const text = (selector) => one(selector).textContent;
const panel = one("[data-checks]");
const ownKey = one("[data-own-key]");
const keptNote = one("[data-kept]");

/** The checks that a page can hold, each true or false. `made` is the module of proofs. */
const checks = {
  async leaf(made) {
    const found = await made.leafHash(new TextEncoder().encode(text("[data-leaf]")));
    return same(found, made.bytes(text("[data-leaf-hash]")));
  },
  async path(made) {
    const { index, size } = one("[data-index]").dataset;
    const path = all("[data-sibling]").map((cell) => made.bytes(cell.textContent));
    const leaf = await made.leafHash(new TextEncoder().encode(text("[data-leaf]")));
    return (
      (await made.included(leaf, BigInt(index), BigInt(size), path, made.bytes(signedRoot()))) &&
      size === signedSize() &&
      signedRoot() === text("[data-root]")
    );
  },
  async consistency(made) {
    // From the reader's own text: what is compared must not be the server's choice.
    const [origin, size, root] = keptNote.value.trim().split("\n").map((line) => line.trim());
    const path = all("[data-sibling]").map((cell) => made.bytes(cell.textContent));
    const roots = [made.bytes(root), made.bytes(signedRoot())];
    return origin === signedOrigin() && made.consistent(BigInt(size), BigInt(signedSize()), ...roots, path);
  },
  signature: (made) => made.signed(text("[data-note]"), ownKey.value.trim() || text("[data-vkey]")),
};

const signedOrigin = () => text("[data-note]").split("\n")[0];
const signedSize = () => text("[data-note]").split("\n")[1];
const signedRoot = () => text("[data-note]").split("\n")[2];
const same = (left, right) => left.length === right.length && left.every((byte, place) => byte === right[place]);

async function judge(check, made) {
  try {
    return (await checks[check.dataset.check](made)) ? "good" : "bad";
  } catch (error) {
    return error.name === "NotSupportedError" ? "unknown" : "bad";
  }
}

if (panel && crypto.subtle) {
  // Before it is offered: a check asks the server for nothing, and does not need it to answer.
  const made = await import(panel.dataset.module);
  const shown = [...panel.querySelectorAll("[data-check]")].map((check) => ({ check, waiting: check.textContent }));
  let round = 0;

  /** No verdict stands beside a key that it was not made with, nor arrives there late. */
  function wait() {
    round += 1;
    for (const { check, waiting } of shown.filter(({ check }) => check.className)) {
      check.className = "";
      check.textContent = waiting;
    }
  }

  /** The page's proof is of the checkpoint that was sent: while another one is being written there is nothing to check. */
  function show() {
    panel.hidden = keptNote !== null && keptNote.value !== keptNote.defaultValue;
  }

  show();
  keptNote?.addEventListener("input", () => (wait(), show()));
  ownKey.addEventListener("input", wait);
  one("[data-run]").addEventListener("click", async () => {
    wait();
    const mine = round;
    const own = ownKey.value.trim() ? "Own" : "";
    for (const { check } of shown) {
      const found = await judge(check, made);
      if (round !== mine) return;
      check.className = found;
      check.textContent = check.dataset[found + own] ?? check.dataset[found];
    }
  });
}
