// Keeps the page up to date while it is open, and says in words when it no longer does. Without this the page is whole.
(() => {
  "use strict";
  const SILENT = 45000;
  const AGAIN = 3000;
  const told = document.getElementById("live");
  const known = document.body.dataset.told;
  if (!told || !window.EventSource) return;
  let heard = Date.now();
  let lastTime = told.dataset.at.slice(11, 19);
  let wanted = 0;
  let stale = false;
  let beats = 0;

  const say = (text) => {
    if (told.textContent !== text) told.textContent = text;
  };
  const live = () => {
    heard = Date.now();
    stale = false;
    document.body.classList.remove("stale");
    say("Live");
  };
  const dead = () => {
    if (stale) return;
    stale = true;
    document.body.classList.add("stale");
    document.title = "Not live: " + document.title;
    say("Not live since " + lastTime + " UTC: what stands here may be old");
  };

  // The server makes the page; only what changed is taken over, so that focus, open parts and scrolling stay.
  const swap = (text) => {
    const next = new DOMParser().parseFromString(text, "text/html");
    const main = document.getElementById("main");
    const fresh = next.getElementById("main");
    if (!fresh) return;
    document.title = next.title;
    // Who reads: a session may have ended.
    const [who, newWho] = [document, next].map((page) => page.querySelector(".top > :last-child"));
    if (who.outerHTML !== newWho.outerHTML) who.replaceWith(document.adoptNode(newWho));
    const icon = document.getElementById("icon");
    const newIcon = next.getElementById("icon");
    if (icon && newIcon && icon.getAttribute("href") !== newIcon.getAttribute("href")) icon.replaceWith(document.adoptNode(newIcon));
    if (fresh.innerHTML === main.dataset.seen) return;
    const active = document.activeElement;
    if (active && main.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) return;
    const focused = active && main.contains(active) ? active.id || active.getAttribute("href") : null;
    const open = [...main.querySelectorAll("details[open][id]")].map((d) => d.id);
    const seen = fresh.innerHTML;
    main.replaceChildren(...[...fresh.childNodes].map((n) => document.adoptNode(n)));
    main.dataset.seen = seen;
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    if (focused) [...main.querySelectorAll("a,button,summary,[id]")].find((e) => e.id === focused || e.getAttribute("href") === focused)?.focus();
  };
  const refresh = async () => {
    wanted = 0;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) return location.reload();
      if (!answer.ok) return;
      swap(await answer.text());
      if (!source) heard = Date.now();
    } catch {
      if (!source) dead();
    }
  };
  const soon = () => {
    if (!wanted) wanted = setTimeout(refresh, 250);
  };

  // A browser keeps few connections to one host: only a page that is seen holds a stream, the others ask now and then.
  let source = null;
  let asking = 0;
  const connect = () => {
    clearInterval(asking);
    heard = Date.now();
    source = new EventSource(document.body.dataset.events);
    const on = (kind, then) =>
      source.addEventListener(kind, (event) => {
        const was = stale;
        live();
        then(event, was);
      });
    // Also takes back the title that says "not live". What happened between the making of the page and now was not told.
    on("hello", (event, was) => (was || (known && event.lastEventId !== known)) && soon());
    on("reset", soon);
    on("beat", (event) => {
      lastTime = JSON.parse(event.data).now.slice(11, 19);
      // Ages in words grow although nothing happens.
      beats += 1;
      if (beats % 2 === 0) soon();
    });
    for (const kind of ["run", "stage", "probe"]) on(kind, soon);
    const mine = source;
    source.addEventListener("error", () => {
      dead();
      // A stream that breaks is opened again by the browser. One that was refused is not: by a proxy while the daemon starts, or
      // because the reader must sign in again.
      if (source !== mine || mine.readyState !== EventSource.CLOSED) return;
      leave();
      setTimeout(() => document.hidden || look(), AGAIN);
    });
  };
  const leave = () => {
    if (source) source.close();
    source = null;
  };
  const look = () => {
    if (document.hidden) {
      leave();
      asking = setInterval(refresh, 30000);
    } else if (!source) {
      connect();
      soon();
    }
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && look());
  setInterval(() => source && Date.now() - heard > SILENT && dead(), 1000);
  if (document.hidden) look();
  else connect();
})();
