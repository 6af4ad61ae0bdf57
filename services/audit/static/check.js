// Repeats in the reader's browser what a page of the log claims, from nothing but what the page shows and, where the
// reader has it from elsewhere, the log's key. The texts are the page's own: a check that was made takes its
// `data-good`, `data-bad` or `data-unknown`.

const panel = document.querySelector("[data-checks]");
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const text = (selector) => one(selector).textContent;

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
    const { old, size, kept } = one("[data-consistency]").dataset;
    const path = all("[data-sibling]").map((cell) => made.bytes(cell.textContent));
    const roots = [made.bytes(kept), made.bytes(signedRoot())];
    return size === signedSize() && made.consistent(BigInt(old), BigInt(size), ...roots, path);
  },
  signature: (made) => made.signed(text("[data-note]"), one("[data-own-key]").value.trim() || text("[data-vkey]")),
};

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
  panel.hidden = false;
  one("[data-run]").addEventListener("click", async () => {
    const made = await import(panel.dataset.module);
    for (const check of panel.querySelectorAll("[data-check]")) {
      const found = await judge(check, made);
      check.className = found;
      check.textContent = check.dataset[found];
    }
  });
}
