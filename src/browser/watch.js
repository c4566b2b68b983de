// Lines of a conversation as they can be seen now, with the time since each of them appeared. A line that comes and goes
// between two calls is not missed: an observer looks at every change. Called with the lines' path, the agent's and the bot's.
const [path, agent, bot, stored] = arguments;
const MOST_LINES = 300, MOST_TEXT = 4000;
const split = path => path.split('>>>').map(part => part.trim());
const roots = path => {
  let found = [document];
  for (const part of split(path).slice(0, -1)) {
    found = found.flatMap(root => [...root.querySelectorAll(part)]).map(el => el.shadowRoot).filter(root => root);
  }
  return found;
};
const all = path => path ? roots(path).flatMap(root => [...root.querySelectorAll(split(path).at(-1))]) : [];
const visible = el => !el.checkVisibility || el.checkVisibility({ opacityProperty: false, visibilityProperty: true });
const touches = (set, el) => set.some(other => other === el || other.contains(el) || el.contains(other));
const textOf = el => String(el.innerText || '').replace(/[ \t]+/g, ' ').trim().slice(0, MOST_TEXT);
const filesOf = el => [...el.querySelectorAll('a[download], a[data-file], img[data-file]')].slice(0, 10).map(link => ({
  name: String(link.getAttribute('download') || link.dataset.file || link.textContent || link.alt || '').trim().slice(0, 200)
    || decodeURIComponent(new URL(link.href || link.src, location.href).pathname.split('/').pop()),
  url: String(link.href || link.src).slice(0, 2000),
}));

const KEY = Symbol.for('lines');
const watch = window[KEY] || (window[KEY] = { known: new WeakMap(), gone: [], roots: new Set(), shown: [] });
// What is there right after a load was stored; only what comes later was pushed.
watch.stored = stored;
const scan = () => {
  const agents = all(agent), bots = all(bot);
  const now = performance.now();
  const before = watch.shown;
  watch.shown = all(path).filter(visible).slice(-MOST_LINES).map(el => {
    const text = textOf(el);
    const old = watch.known.get(el);
    const line = old && old.text === text ? old
      : { text, at: now, speaker: touches(bots, el) ? 'bot' : touches(agents, el) ? 'agent' : null, stored: watch.stored, files: filesOf(el) };
    watch.known.set(el, line);
    return line;
  }).filter(line => line.text || line.files.length);
  for (const line of before) {
    if (!watch.shown.includes(line) && watch.gone.length < MOST_LINES) watch.gone.push(line);
  }
  for (const root of roots(path)) {
    if (watch.roots.has(root)) continue;
    watch.roots.add(root);
    new MutationObserver(scan).observe(root, { subtree: true, childList: true, characterData: true });
  }
};
scan();
const now = performance.now();
const told = [...watch.gone, ...watch.shown].map(line => ({ ...line, age_ms: Math.round(now - line.at) }));
watch.gone = [];
return told;
