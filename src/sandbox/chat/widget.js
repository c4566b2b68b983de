// The chat bubble: a shadow root with a button, and a panel that talks to the desk by WebSocket.
(() => {
  "use strict";
  const host = document.querySelector("chat-widget");
  const desk = host.dataset.desk;
  const root = host.attachShadow({ mode: "open" });
  document.body.classList.add("plain");

  const style = document.createElement("style");
  style.textContent = `
    :host { all: initial; }
    * { box-sizing: border-box; font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
    button { font-weight: 600; color: #fff; background: #1d5f4f; border: 0; border-radius: .4rem; padding: .55rem 1rem; cursor: pointer; }
    :focus-visible { outline: 3px solid #7cc4b2; outline-offset: 1px; }
    .bubble { position: fixed; right: 1rem; bottom: 1rem; width: 3.6rem; height: 3.6rem; border-radius: 50%; padding: 0; box-shadow: 0 .2rem .8rem #0004; }
    .bubble svg { width: 1.7rem; height: 1.7rem; fill: #fff; vertical-align: middle; }
    .panel { position: fixed; inset: .5rem; display: flex; flex-direction: column; background: #fff; color: #1f2933; border-radius: .7rem;
      overflow: hidden; box-shadow: 0 .3rem 1.4rem #0005; }
    [hidden] { display: none !important; }
    header { display: flex; align-items: center; gap: .5rem; background: #1d5f4f; color: #fff; padding: .6rem .5rem .6rem 1rem; }
    header h2 { margin: 0 auto 0 0; font-size: 1.05rem; font-weight: 600; }
    header button { padding: .3rem .6rem; background: transparent; }
    form.questions { padding: 1rem; overflow: auto; flex: none; max-height: 75%; border-top: 1px solid #e4e0d8; }
    label { display: block; font-weight: 600; margin-bottom: .75rem; }
    input, textarea { display: block; width: 100%; margin-top: .2rem; padding: .5rem .6rem; border: 1px solid #cbd2d9; border-radius: .4rem; color: inherit; }
    ol { list-style: none; flex: 1; overflow: auto; margin: 0; padding: 1rem; background: #f5f3ee; }
    li { max-width: 85%; width: fit-content; margin: 0 0 .6rem; padding: .5rem .75rem; border-radius: .7rem; background: #fff; border: 1px solid #e4e0d8;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    li[data-from=visitor] { margin-left: auto; background: #1d5f4f; color: #fff; border-color: #1d5f4f; }
    li[data-from=bot] { border-style: dashed; }
    li[data-from=system] { max-width: 100%; margin-inline: auto; background: none; border: 0; color: #52606d; font-size: .87rem; text-align: center; }
    li a { color: inherit; display: block; }
    form.write { display: flex; gap: .5rem; padding: .6rem; border-top: 1px solid #e4e0d8; align-items: flex-end; }
    form.write label { flex: 1; margin: 0; font-size: 0; }
    form.write textarea { resize: none; height: 2.6rem; margin: 0; }
    .note { padding: .5rem 1rem; margin: 0; color: #a61b1b; }
  `;
  root.append(style);

  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...inside);
    return element;
  };

  // A browser may keep nothing for embedded pages: then the visitor lives as long as the page.
  const memory = {};
  const store = {
    get: (key) => { try { return localStorage.getItem(key); } catch { return memory[key]; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { memory[key] = value; } },
  };

  const bubble = make("button", { class: "bubble", type: "button", "aria-label": host.dataset.title, "aria-expanded": "false" });
  bubble.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z"/></svg>';
  const fold = make("button", { type: "button", "aria-label": "Hide the chat" }, "\u2013");
  const leave = make("button", { type: "button", "aria-label": "End the chat", hidden: true }, "End");
  const note = make("p", { class: "note", role: "alert", hidden: true });
  const questions = make("form", { class: "questions", hidden: true });
  const lines = make("ol", { role: "log", "aria-label": "Conversation", hidden: true });
  const area = make("textarea", { name: "line", rows: 1, placeholder: "Write a message" });
  const write = make("form", { class: "write", hidden: true }, make("label", {}, "Your message", area), make("button", { type: "submit" }, "Send"));
  const panel = make("section", { class: "panel", "aria-label": host.dataset.title, hidden: true },
    make("header", {}, make("h2", {}, host.dataset.title), leave, fold), note, lines, questions, write);
  root.append(bubble, panel);

  const state = { secret: null, conversation: null, socket: null, waiting: [], seen: new Set(), tries: 0 };
  const complain = (text) => {
    note.hidden = !text;
    note.textContent = text || "";
  };
  const call = async (method, path, body) => {
    const headers = { "Content-Type": "application/json" };
    if (state.secret) headers.Authorization = `Visitor ${state.secret}`;
    const answer = await fetch(desk + path, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: answer.status === 204 ? {} : await answer.json() };
  };

  const show = (line) => {
    if (state.seen.has(line.id)) return;
    state.seen.add(line.id);
    const files = line.files.map((file) => {
      const link = make("a", { href: `${file.url}?key=${state.secret}`, download: file.name }, file.name);
      return link;
    });
    lines.append(make("li", { "data-from": line.from, "data-id": line.id }, line.text, ...files));
    lines.scrollTop = lines.scrollHeight;
  };
  const talking = (yes) => {
    questions.hidden = yes;
    for (const part of [lines, write, leave]) part.hidden = !yes;
    if (yes) area.focus();
  };

  const send = (event, data) => {
    const frame = JSON.stringify({ event, data });
    if (state.socket && state.socket.readyState === WebSocket.OPEN) state.socket.send(frame);
    else state.waiting.push(frame);
  };
  const hear = ({ event, data }) => {
    if (event === "session_start") {
      state.conversation = data.conversation;
      complain();
      show(data.line);
      talking(true);
    } else if (event === "line" && data.conversation === state.conversation) show(data);
    else if (event === "session_closed" && data.conversation === state.conversation) {
      write.hidden = true;
      leave.hidden = true;
      state.conversation = null;
      ask();
    } else if (event === "error") complain(data.error || "That did not work. Please look at your answers.");
  };
  const connect = () => {
    const socket = new WebSocket(`${desk.replace(/^http/, "ws")}/chat/ws?key=${state.secret}`);
    state.socket = socket;
    socket.onopen = () => {
      if (state.tries) refresh();
      state.tries = 0;
      for (const frame of state.waiting.splice(0)) socket.send(frame);
    };
    socket.onmessage = (message) => hear(JSON.parse(message.data));
    socket.onclose = () => {
      state.tries += 1;
      setTimeout(connect, Math.min(500 * state.tries, 10000));
    };
  };
  const refresh = async () => {
    if (!state.conversation) return;
    const { status, body } = await call("GET", `/chat/conversations/${state.conversation}/lines`);
    if (status === 200) body.lines.forEach(show);
  };

  const ask = async () => {
    const { body } = await call("GET", "/chat/status");
    const offline = !body.online;
    const inputs = body.prechat.map((q) => make("label", {}, q.label,
      make("input", { name: q.key, type: q.key === "email" ? "email" : "text", required: q.required || offline })));
    const text = make("textarea", { name: "text", rows: 4, required: true });
    const button = make("button", { type: "submit" }, offline ? "Leave a message" : host.dataset.start);
    questions.replaceChildren(
      ...(offline ? [make("p", {}, "Nobody is here just now. Leave us a message and we answer by e-mail.")] : []),
      ...inputs, make("label", {}, "How can we help?", text), button);
    questions.onsubmit = (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(questions));
      const { text: first, ...prechat } = given;
      if (offline) return note_down(prechat, first);
      send("session_init", { prechat, text: first });
    };
    questions.hidden = false;
  };
  const note_down = async (prechat, text) => {
    const { status, body } = await call("POST", "/chat/offline", { ...prechat, text });
    if (status === 201) questions.replaceChildren(make("p", { role: "status" }, "Thank you, your message was sent."));
    else complain(body.error || "Please look at your answers.");
  };

  const prepare = async () => {
    state.secret = store.get("chat-visitor");
    let current = state.secret ? await call("GET", "/chat/conversations/current") : { status: 401 };
    if (current.status === 401) {
      state.secret = null;
      state.secret = (await call("POST", "/chat/visitors", {})).body.secret;
      store.set("chat-visitor", state.secret);
      current = { status: 404 };
    }
    connect();
    if (current.status === 200 && current.body.state !== "closed") {
      state.conversation = current.body.conversation;
      talking(true);
      await refresh();
    } else await ask();
  };

  let prepared = null;
  const unfold = (open) => {
    panel.hidden = !open;
    bubble.hidden = open;
    bubble.setAttribute("aria-expanded", String(open));
    parent.postMessage(open ? "open" : "closed", "*");
    if (open) {
      prepared ??= prepare().catch((error) => {
        console.error("chat:", error);
        complain(`The chat does not work: ${error.message}`);
      });
    }
  };
  bubble.onclick = () => unfold(true);
  fold.onclick = () => {
    unfold(false);
    bubble.focus();
  };
  leave.onclick = () => send("session_close", { conversation: state.conversation });
  write.onsubmit = (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text || !state.conversation) return;
    send("line", { conversation: state.conversation, text });
    area.value = "";
  };
  area.onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      write.requestSubmit();
    }
  };
})();
