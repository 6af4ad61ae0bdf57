// RFC 6962 proofs with the browser's own SHA-256 and Ed25519: a reader need not believe what the server has calculated.
// This script comes from that server too. Who does not trust it checks the same note and proof (/v1/…) with another tool.
// Hashes are Uint8Array of 32 bytes. Indexes and sizes are BigInt: numbers lose bits beyond 2^53, shifts beyond 2^31.

/** SHA-256(0x00 ‖ entry), section 2.1. */
export const leafHash = (entry) => sha256([0], entry);

/** SHA-256(0x01 ‖ left ‖ right), section 2.1. */
export const nodeHash = (left, right) => sha256([1], left, right);

/**
 * Climb from a leaf hash to the root along its audit path (RFC 9162, section 2.1.3.2). Returns every step:
 * {sibling, onTheLeft, result}; the last result is the root. Throws RangeError where path, index and size do not fit.
 */
export async function climb(leaf, index, size, path) {
  if (index < 0n || index >= size) throw new RangeError("the leaf is not in the tree");
  const inner = bitLength(index ^ (size - 1n));
  if (path.length !== inner + bitCount(index >> BigInt(inner))) throw new RangeError("the path has another length");
  const steps = [];
  let result = leaf;
  for (const [level, sibling] of path.entries()) {
    const onTheLeft = level >= inner || ((index >> BigInt(level)) & 1n) === 1n;
    result = onTheLeft ? await nodeHash(sibling, result) : await nodeHash(result, sibling);
    steps.push({ sibling, onTheLeft, result });
  }
  return steps;
}

/** Whether the leaf hash stands at `index` of the tree of `size` leaves with this root. */
export async function included(leaf, index, size, path, root) {
  try {
    const steps = await climb(leaf, index, size, path);
    return equal(steps.length ? steps[steps.length - 1].result : leaf, root);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Whether the tree of `newSize` leaves begins with that of `oldSize` (RFC 9162, section 2.1.4.2). */
export async function consistent(oldSize, newSize, oldRoot, newRoot, path) {
  if (oldSize <= 0n || oldSize > newSize) return false;
  if (oldSize === newSize) return path.length === 0 && equal(oldRoot, newRoot);
  if (path.length === 0) return false;
  // A power of two is a whole subtree: the old root itself is where the path begins.
  const [first, ...rest] = (oldSize & (oldSize - 1n)) === 0n ? [oldRoot, ...path] : path;
  let left = oldSize - 1n;
  let last = newSize - 1n;
  while (left & 1n) [left, last] = [left >> 1n, last >> 1n];
  let ofOld = first;
  let ofNew = first;
  for (const sibling of rest) {
    if (last === 0n) return false;
    if (left & 1n || left === last) {
      ofOld = await nodeHash(sibling, ofOld);
      ofNew = await nodeHash(sibling, ofNew);
      while (left && !(left & 1n)) [left, last] = [left >> 1n, last >> 1n];
    } else {
      ofNew = await nodeHash(ofNew, sibling);
    }
    [left, last] = [left >> 1n, last >> 1n];
  }
  return equal(ofOld, oldRoot) && equal(ofNew, newRoot) && last === 0n;
}

/**
 * Whether the checkpoint (a C2SP signed note) is of the log of this name and signed with this Ed25519 key, given as
 * name+id+base64.
 * Throws DOMException (NotSupportedError) in a browser that has no Ed25519.
 */
export async function signed(note, vkey) {
  // The key is base64, which may hold + itself: only the first two are separators.
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  if (encoded === undefined) return false;
  const key = bytes(encoded);
  const named = (await sha256(new TextEncoder().encode(`${name}\n`), key)).slice(0, 4);
  if (key.length !== 33 || key[0] !== 1 || hex(named) !== id) return false;
  const end = note.lastIndexOf("\n\n") + 1;
  const line = note.slice(end + 1).split("\n").find((one) => one.startsWith(`— ${name} `));
  if (end === 0 || line === undefined || !note.startsWith(`${name}\n`)) return false;
  const signature = bytes(line.slice(`— ${name} `.length));
  if (!equal(signature.slice(0, 4), named)) return false;
  const read = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", read, signature.slice(4), new TextEncoder().encode(note.slice(0, end)));
}

/** The bytes of a base64 text. */
export const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts.map(asBytes)).arrayBuffer()));
}

const asBytes = (part) => (part instanceof Uint8Array ? part : Uint8Array.from(part));
const hex = (content) => Array.from(content, (byte) => byte.toString(16).padStart(2, "0")).join("");
const equal = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
const bitLength = (number) => (number === 0n ? 0 : number.toString(2).length);
const bitCount = (number) => number.toString(2).replaceAll("0", "").length;
