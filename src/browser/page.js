// Looks at the page of one frame: its visible fields with their labels, in open shadow roots too. Everything is cut short:
// a page may be hostile. Called as `run(name, …arguments)`.
const MOST_ELEMENTS = 20000, MOST_FIELDS = 200, MOST_OPTIONS = 100, MOST_TEXT = 20000;
const squeeze = (text, most = 200) => String(text || '').replace(/\s+/g, ' ').trim().slice(0, most);

// Every element below a root, into open shadow roots, in the order of the document.
const deep = (root, out = []) => {
  for (const el of root.querySelectorAll('*')) {
    if (out.length >= MOST_ELEMENTS) break;
    out.push(el);
    if (el.shadowRoot) deep(el.shadowRoot, out);
  }
  return out;
};

const visible = el => {
  if (el.checkVisibility && !el.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  const box = el.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) return false;
  // Pushed out of the page: a trap for machines.
  if (box.right + scrollX <= 0 || box.bottom + scrollY <= 0) return false;
  const hidden = el.closest('[aria-hidden="true"]');
  return !(hidden && el.matches('input, textarea, select'));
};

// All matches of a path: CSS, ` >>> ` steps into a shadow root.
const all = (path, from = document) => {
  let roots = [from];
  const parts = path.split('>>>').map(part => part.trim());
  for (const [at, part] of parts.entries()) {
    const found = roots.flatMap(root => [...root.querySelectorAll(part)]);
    if (at === parts.length - 1) return found;
    roots = found.map(el => el.shadowRoot).filter(root => root);
  }
  return [];
};

const labelOf = el => {
  const root = el.getRootNode();
  const own = node => {
    const copy = node.cloneNode(true);
    copy.querySelectorAll('input, select, textarea, button, option, script, style').forEach(child => child.remove());
    return squeeze(copy.textContent);
  };
  const named = (el.getAttribute('aria-labelledby') || '').split(/\s+/).filter(id => id)
    .map(id => root.getElementById ? root.getElementById(id) : null).filter(node => node).map(own).join(' ');
  const labels = [...(el.labels || [])].map(own).filter(text => text);
  return labels.join(' ') || named || squeeze(el.getAttribute('aria-label')) || squeeze(el.placeholder) || squeeze(el.title);
};

const legendOf = el => {
  const set = el.closest('fieldset, [role="radiogroup"]');
  if (!set) return '';
  const legend = set.querySelector('legend');
  return legend ? squeeze(legend.textContent) : squeeze(set.getAttribute('aria-label'));
};

const kindOf = el => el.localName === 'input' ? (el.type || 'text') : el.localName;
const NO_FIELDS = ['submit', 'button', 'image', 'reset', 'hidden'];

// Fields that are drawn by their label alone: the label counts.
const shown = el => visible(el)
  || (['checkbox', 'radio', 'file'].includes(el.type) && [...(el.labels || [])].some(visible));

const groupOf = (el, groups) => {
  const key = el.form || el.getRootNode();
  if (!groups.includes(key)) groups.push(key);
  return groups.indexOf(key);
};

const fields = only => {
  const groups = [], out = [], radios = new Map();
  const chosen = only ? all(only) : null;
  const inside = el => !chosen || chosen.some(form => {
    for (let node = el; node; node = node.parentNode || node.host) if (node === form) return true;
    return el.form === form;
  });
  for (const el of deep(document)) {
    if (out.length >= MOST_FIELDS) break;
    if (!el.matches('input, textarea, select') || !inside(el)) continue;
    const type = kindOf(el);
    if (NO_FIELDS.includes(type)) continue;
    const group = groupOf(el, groups);
    const one = {
      group, type, name: squeeze(el.name), id: squeeze(el.id), label: labelOf(el), visible: shown(el),
      enabled: !el.matches(':disabled') && !el.readOnly, required: el.required || el.getAttribute('aria-required') === 'true',
      checked: !!el.checked, multiple: !!el.multiple, value: el.type === 'password' ? '' : squeeze(el.value, 100),
      options: [], elements: [el], autocomplete: squeeze(el.getAttribute('autocomplete')),
    };
    if (type === 'select') one.options = [...el.options].slice(0, MOST_OPTIONS).map(option => squeeze(option.textContent));
    if (type === 'radio') {
      const key = group + '|' + el.name;
      const known = el.name && radios.get(key);
      const option = one.label;
      if (known) {
        known.options.push(option); known.elements.push(el); known.required ||= one.required; known.visible ||= one.visible;
        known.checked ||= one.checked;
        continue;
      }
      one.label = legendOf(el) || one.name; one.options = [option];
      radios.set(key, one);
    }
    out.push(one);
  }
  const about = groups.map(key => {
    const form = key.localName === 'form' ? key : null;
    const hidden = form ? [...form.elements].filter(el => el.type === 'hidden')
      : [...key.querySelectorAll('input[type=hidden]')].filter(el => !el.form);
    return {
      hidden: hidden.slice(0, MOST_FIELDS).map(el => squeeze(el.name)).filter(name => name),
      method: form ? form.method : 'post', action: form && form.getAttribute('action') !== null ? String(form.action) : '',
      enctype: form ? form.enctype : '', page: location.href,
    };
  });
  return { fields: out, groups: about };
};

// The button that sends: by its text where one is given, else the form's own.
const button = (first, text) => {
  const root = first.form || first.getRootNode();
  const can = 'button, input[type=submit], input[type=image], input[type=button], [role=button]';
  let found = [...root.querySelectorAll(can)];
  if (first.form && !found.length) found = [...first.form.elements].filter(el => el.matches(can));
  found = found.filter(el => visible(el));
  const words = el => squeeze(el.value || el.textContent || el.getAttribute('aria-label')).toLowerCase();
  if (text) {
    const wanted = squeeze(text).toLowerCase();
    return found.find(el => words(el) === wanted) || found.find(el => words(el).includes(wanted))
      || deep(document).filter(el => el.matches(can) && visible(el)).find(el => words(el).includes(wanted)) || null;
  }
  const own = found.filter(el => el.type === 'submit' || el.type === 'image');
  return own[own.length - 1] || found[found.length - 1] || null;
};

const textOf = () => {
  const parts = [document.body ? document.body.innerText : ''];
  for (const el of deep(document)) {
    if (el.shadowRoot) for (const child of el.shadowRoot.children) if (!child.matches('style, script, template')) parts.push(child.innerText || '');
  }
  return parts.join('\n').replace(/[ \t]+/g, ' ').replace(/\n\s*\n+/g, '\n').trim().slice(0, MOST_TEXT);
};

const ERRORS = '[role="alert"], [aria-live="assertive"], .error, .errors, .errorlist, .invalid-feedback, .field-error, .form-error, .alert-danger';
const CAPTCHAS = [
  ['reCAPTCHA', '.g-recaptcha, iframe[src*="recaptcha/api2/anchor"], iframe[src*="recaptcha/enterprise/anchor"], iframe[src*="/bframe"]'],
  ['hCaptcha', '.h-captcha, iframe[src*="hcaptcha.com"]'],
  ['Turnstile', '.cf-turnstile, iframe[src*="challenges.cloudflare.com"]'],
  ['Friendly Captcha', '.frc-captcha'], ['ALTCHA', 'altcha-widget'], ['GeeTest', '.geetest_captcha'],
  ['Arkose', 'iframe[src*="arkoselabs"], iframe[src*="funcaptcha"]'],
  ['a captcha of the site\'s own', 'img[src*="captcha" i], canvas[id*="captcha" i], input[name*="captcha" i]:not([name*="recaptcha" i])'],
];
// These ask nobody anything.
const UNSEEN = '[data-size="invisible"], iframe[src*="size=invisible"], input[type="hidden"]';

const state = () => {
  const every = deep(document);
  const nav = performance.getEntriesByType('navigation')[0];
  const errors = every.filter(el => el.matches(ERRORS) && visible(el)).map(el => squeeze(el.innerText)).filter(text => text);
  const wrong = 'input:invalid, select:invalid, textarea:invalid, input[aria-invalid="true"], select[aria-invalid="true"], textarea[aria-invalid="true"]';
  const why = el => {
    const ids = `${el.getAttribute('aria-errormessage') || ''} ${el.getAttribute('aria-describedby') || ''}`.split(' ').filter(id => id);
    const told = ids.map(id => el.getRootNode().getElementById(id)).filter(node => node && visible(node)).map(node => squeeze(node.innerText));
    return told.join(' ') || el.validationMessage;
  };
  const invalid = every.filter(el => el.matches(wrong) && shown(el))
    .map(el => squeeze((labelOf(el) || el.name) + (why(el) ? ': ' + why(el) : ''), 300));
  return {
    url: location.href, title: squeeze(document.title), ready: document.readyState, text: textOf(),
    errors: [...new Set(errors)].slice(0, 10), invalid: invalid.slice(0, 10),
    captcha: (CAPTCHAS.find(([, path]) => every.some(el => el.matches(path) && !el.matches(UNSEEN) && visible(el))) || [''])[0],
    password: every.some(el => el.matches('input[type=password]') && visible(el)),
    status: nav && nav.responseStatus ? nav.responseStatus : null,
    loaded: nav && nav.loadEventEnd > 0 ? Math.round(nav.loadEventEnd) : null, now: Math.round(performance.now()),
  };
};

// Puts a text where the caret stands, as pasting does: for what no key can type.
const insert = (el, text) => {
  el.focus();
  if (document.execCommand('insertText', false, text)) return;
  const from = el instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
  Object.getOwnPropertyDescriptor(from.prototype, 'value').set.call(el, el.value + text);
  el.dispatchEvent(new InputEvent('input', { bubbles: true, composed: true, data: text, inputType: 'insertText' }));
};

// Sets what is not typed: dates, colours, ranges.
const set = (el, value) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(el, value);
  for (const type of ['input', 'change']) el.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
};

const calls = {
  find: path => { const found = all(path); return found.find(visible) || found[0] || null; },
  seen: path => all(path).find(visible) || null,
  fields, button, state, insert, set,
  option: (el, text) => {
    const wanted = squeeze(text).toLowerCase();
    const options = [...el.options];
    const words = option => squeeze(option.textContent).toLowerCase();
    return options.find(option => words(option) === wanted) || options.find(option => words(option).includes(wanted)) || null;
  },
  label: el => [...(el.labels || [])].find(visible) || null,
  centre: el => { el.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' }); return true; },
  source: () => document.documentElement.outerHTML.slice(0, 65536).toLowerCase(),
  there: els => els.some(el => el.isConnected && shown(el)),
};
const [name, args] = arguments;
return calls[name](...args);
