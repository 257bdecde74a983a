/** The dashboard: its parts put together. */

import { Alerting } from "./alerting.js";
import { Catalogue } from "./catalogue.js";
import { Client } from "./client.js";
import { Connection } from "./connection.js";
import { DevicePanel } from "./device.js";
import { Devices } from "./devices.js";
import { setText } from "./elements.js";
import { Gate } from "./gate.js";
import { Health } from "./health.js";
import { chooseLanguage, loadLanguages, onLanguage, t } from "./language.js";
import { Latest } from "./latest.js";
import { Letters } from "./letters.js";
import { Pages } from "./pages.js";
import { Place } from "./place.js";
import { Refresh } from "./refresh.js";
import { storedKey, storeKey, takeKeyFromAddress } from "./session.js";
import { Sites } from "./sites.js";
import { duration } from "./times.js";
import { View } from "./view.js";

const NARROW = "(max-width: 60rem)";

const find = (selector) => document.querySelector(selector);

function start() {
  adoptKey();
  const view = new View();
  const place = new Place();
  const pages = new Pages(place, { board: find("#board"), alerting: find("#alerting") });
  const client = new Client(storedKey);
  const shared = { client, view, catalogue: new Catalogue(), latest: new Latest(client) };
  const health = new Health(find(".health"), client, find("#pill"));
  const sites = new Sites(find(".sites"), client);
  const letters = new Letters(find(".letters"), client);
  const soon = () => refresh.soon();
  const devices = new Devices(find(".devices"), { ...shared, sites, onChange: soon });
  const device = new DevicePanel(find(".device"), {
    ...shared,
    sites,
    onChange: soon,
    onLatest: (id) => devices.showLatest(id),
  });
  const alerting = new Alerting(find("#alerting"), find("#pages"), {
    ...shared,
    place,
    sites,
    onChange: soon,
  });
  const panels = [
    [find(".health"), health, null],
    [find(".sites"), sites, () => place.page === "board" || sites.all.length === 0],
    [find(".devices"), devices, "board"],
    [find(".device"), device, "board"],
    [find(".letters"), letters, "board"],
    ...alerting.panels,
  ];
  const connection = new Connection(find("#connection"));
  const gate = new Gate(find("#gate"), (key) => open(key));
  const refresh = new Refresh({
    tasks: panels.map(([root, panel, page]) => task(root, panel, wantedOn(page))),
    onRound: finish,
  });
  let updated = null;
  let opened = null;

  /** Return a function that tells whether a panel is to be asked about now. */
  function wantedOn(page) {
    return typeof page === "function" ? page : () => page === null || page === place.page;
  }

  function finish({ reached, refused }) {
    connection.note(reached);
    health.noteReached(reached);
    if (refused) {
      close();
      return;
    }
    if (reached) {
      updated = performance.now();
      devices.render();
      device.render();
      alerting.render();
      pages.settle();
      if (!view.device && devices.first) {
        view.choose({ device: devices.first.id });
      }
    }
    showUpdated();
  }

  function open(key) {
    storeKey(key);
    if (opened !== null && opened !== key) {
      // What the page holds was shown to another key.
      location.reload();
      return;
    }
    opened = key;
    gate.close();
    pages.open = true;
    find("#leave").hidden = false;
    refresh.start();
  }

  /** Ask for another key: this one is not good, or no more. */
  function close() {
    refresh.stop();
    storeKey(null);
    pages.open = false;
    find("#leave").hidden = true;
    updated = null;
    showUpdated();
    gate.open({ refused: true });
  }

  function showUpdated() {
    const text = updated === null ? "" : ageText(performance.now() - updated);
    setText(find("#updated"), text);
  }

  onLanguage(() => {
    panels.forEach(([, panel]) => panel.render());
    alerting.render();
    showUpdated();
  });
  setInterval(() => {
    devices.tick();
    device.tick();
    alerting.tick();
    showUpdated();
  }, 1000);
  addEventListener("hashchange", () => {
    if (adoptKey()) {
      open(storedKey());
    }
  });
  find(".skip").addEventListener("click", (event) => {
    // Its address would be that of another page.
    event.preventDefault();
    find("#main").focus();
  });
  find("#leave").addEventListener("click", () => {
    storeKey(null);
    location.reload();
  });
  find("#languages").addEventListener("click", (event) => {
    const button = event.target.closest("[data-language]");
    if (button) {
      chooseLanguage(button.dataset.language);
    }
  });
  find(".devices").addEventListener("click", (event) => {
    if (event.target.closest("tr[data-device]") && matchMedia(NARROW).matches) {
      find(".device").scrollIntoView({ block: "start" });
      find("#device-title").focus({ preventScroll: true });
    }
  });
  document.body.dataset.state = "ready";
  if (storedKey() === null) {
    gate.open();
  } else {
    open(storedKey());
  }
}

/** Keep the key that stands in the address, if there is one; tell whether there was. */
function adoptKey() {
  const key = takeKeyFromAddress();
  if (key !== null) {
    storeKey(key);
  }
  return key !== null;
}

/** Return a task of `Refresh` that asks for a panel and says in it what went wrong. */
function task(root, panel, wanted) {
  const trouble = root.querySelector(".trouble");
  return {
    wanted,
    run: () => panel.refresh(),
    onProblem(problem) {
      if (trouble === null) {
        return;
      }
      trouble.hidden = problem === null;
      setText(trouble, problem === null ? "" : t("page.trouble", { detail: problem.message }));
    },
  };
}

function ageText(ms) {
  return t("page.updated", { duration: duration(ms) });
}

await loadLanguages();
start();
