/**
 * The API key: kept for this tab only (sessionStorage), taken from `#key=...` in the address and
 * removed from there at once. A fragment is never sent to a server, so it is in no server's log.
 */

const NAME = "passerelle.key";
const SENDABLE = /^[\x21-\x7e]{1,256}$/;

/** Return the key of this tab, or null. */
export function storedKey() {
  return sessionStorage.getItem(NAME);
}

/** Keep a key for this tab; null forgets it. */
export function storeKey(key) {
  if (key === null) {
    sessionStorage.removeItem(NAME);
  } else {
    sessionStorage.setItem(NAME, key);
  }
}

/** Tell whether `key` can be sent in a header at all. */
export function isSendable(key) {
  return SENDABLE.test(key);
}

/** Return the key in the address, or null; it is gone from the address and the history entry. */
export function takeKeyFromAddress() {
  const { path, fragment } = addressed();
  const key = fragment.get("key");
  if (key === null) {
    return null;
  }
  fragment.delete("key");
  const rest = [path, fragment.toString()].filter(Boolean).join(path ? "?" : "");
  history.replaceState(null, "", rest ? `#${rest}` : location.pathname + location.search);
  return key.trim() || null;
}

/** Return the fragment's path (`/alerts`; "" for the board) and what is chosen behind it. */
export function addressed() {
  const [, path, rest] = /^#?(\/[^?]*)?\??(.*)$/s.exec(location.hash);
  return { path: path ?? "", fragment: new URLSearchParams(rest) };
}
