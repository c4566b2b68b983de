// The embedded contact form: built in a shadow root from the desk's configuration, sent as JSON.
(() => {
  "use strict";
  const host = document.querySelector("contact-form");
  const root = host.attachShadow({ mode: "open" });
  for (const style of document.querySelectorAll("style")) root.append(style.cloneNode(true));
  document.body.classList.add("plain");

  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...inside);
    return element;
  };
  // The page around makes as much room as the form needs.
  new ResizeObserver(() => parent.postMessage({ height: document.documentElement.scrollHeight }, "*")).observe(document.body);
  const status = make("div", { role: "status", "aria-live": "polite" });
  root.append(status);
  const say = (text, wrong) => {
    status.replaceChildren(make("p", { class: wrong ? "notice" : "card" }, text));
  };

  const control = (field) => {
    const common = { id: `f-${field.name}`, name: field.name, required: field.required };
    if (field.type === "textarea") return make("textarea", { ...common, rows: 6 });
    if (field.type === "select") {
      const options = field.options.map((o) => make("option", { value: o.value }, o.label));
      return make("select", common, make("option", { value: "" }, "Please choose"), ...options);
    }
    return make("input", { ...common, type: field.type });
  };
  const row = (field) => {
    const input = control(field);
    const must = field.required ? [make("span", { class: "must", "aria-hidden": "true" }, " *")] : [];
    const wrong = make("p", { class: "wrong", id: `w-${field.name}`, hidden: true });
    const tick = field.type === "checkbox";
    const label = tick
      ? make("label", { class: "tick" }, input, make("span", {}, field.label, ...must))
      : make("label", { for: input.id }, field.label, ...must);
    return { field, input, wrong, element: make("div", { class: "row" }, label, ...(tick ? [] : [input]), wrong) };
  };
  const complain = (rows, errors) => {
    for (const { field, input, wrong } of rows) {
      const text = errors[field.name];
      wrong.hidden = !text;
      wrong.textContent = text || "";
      input.setAttribute("aria-invalid", String(Boolean(text)));
      if (text) input.setAttribute("aria-describedby", wrong.id);
    }
    const others = Object.keys(errors).filter((name) => !rows.some((r) => r.field.name === name));
    say(others.map((name) => errors[name]).join(" ") || "Please correct the marked fields.", true);
  };
  const encoded = (file) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onerror = () => reject(reader.error);
      reader.onload = () => resolve({ name: file.name, type: file.type, data: reader.result.split(",")[1] || "" });
      reader.readAsDataURL(file);
    });

  const send = async (config, rows, form) => {
    const fields = {};
    let files = [];
    for (const { field, input } of rows) {
      if (field.type === "file") files = await Promise.all([...input.files].map(encoded));
      else fields[field.name] = field.type === "checkbox" ? input.checked : input.value;
    }
    const answer = await fetch(config.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: config.token, fields, files }),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error || `status ${answer.status}`);
    if (said.errors) return complain(rows, said.errors);
    form.remove();
    say(`${config.thanks} Its number is ${said.ticket.number}.`);
  };

  const build = (config) => {
    const rows = config.fields.map(row);
    const button = make("button", { type: "submit" }, config.button);
    const form = make("form", { class: "card", "aria-label": config.title }, ...rows.map((r) => r.element), button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await send(config, rows, form);
      } catch (error) {
        console.error("contact form:", error);
        say(`Failed to submit: ${error.message}`, true);
      } finally {
        button.disabled = false;
      }
    });
    root.append(form);
  };

  const start = async () => {
    const answer = await fetch(host.dataset.config);
    const config = await answer.json();
    if (!answer.ok || !config.enabled) throw new Error(config.error || `status ${answer.status}`);
    build(config);
  };
  start().catch((error) => {
    console.error("contact form:", error);
    say(`The form cannot be shown: ${error.message}`, true);
  });
})();
