/**
 * French and English. Every string stands in `locales/fr.json` and `locales/en.json` under the
 * same key; a test fails when a key is missing in one, or used by nothing.
 */

const NAME = "passerelle.language";
const CODES = ["fr", "en"];
/** For numbers and times: 24 hours, and the decimal mark of the language. */
const TAGS = { fr: "fr-FR", en: "en-GB" };

const texts = new Map();
let current = "fr";
const listeners = [];

/** Load both languages and choose one: remembered, else the browser's first, else French. */
export async function loadLanguages() {
  await Promise.all(
    CODES.map(async (code) => {
      const response = await fetch(new URL(`dashboard/locales/${code}.json`, document.baseURI));
      texts.set(code, await response.json());
    }),
  );
  const wanted = [localStorage.getItem(NAME), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  apply(wanted.find((code) => CODES.includes(code)) ?? CODES[0]);
}

/** Speak `code` from now on, and remember it. */
export function chooseLanguage(code) {
  localStorage.setItem(NAME, code);
  apply(code);
}

/** Call `listener` whenever the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Return the code of the language, `fr` or `en`. */
export function language() {
  return current;
}

/** Return the tag for `Intl`. */
export function tag() {
  return TAGS[current];
}

/** Return the text for `key`, with `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const text = texts.get(current)?.[key] ?? key;
  return text.replaceAll(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Return the text `key.one` or `key.other`, as the number asks; `{n}` is the number. */
export function count(key, n, values = {}) {
  const form = new Intl.PluralRules(tag()).select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { n: new Intl.NumberFormat(tag()).format(n), ...values });
}

/** Return the text for one of a family of codes that the API names; the code itself when new. */
export function named(family, code) {
  return texts.get(current)?.[`${family}.${code}`] ?? code;
}

function apply(code) {
  current = code;
  document.documentElement.lang = code;
  for (const node of document.querySelectorAll("[data-i18n]")) {
    node.textContent = t(node.dataset.i18n);
  }
  for (const node of document.querySelectorAll("[data-i18n-label]")) {
    node.setAttribute("aria-label", t(node.dataset.i18nLabel));
  }
  for (const node of document.querySelectorAll("[data-i18n-placeholder]")) {
    node.setAttribute("placeholder", t(node.dataset.i18nPlaceholder));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === code));
  }
  for (const listener of listeners) {
    listener();
  }
}
