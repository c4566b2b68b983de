//! Reads all files of a configuration and puts them together; every problem of all files at once.

use super::accounts::{Definition, Workshop, definitions, in_words};
use super::catalog::{DeskCatalog, DeskDefinition};
use super::collections::Keyed;
use super::probes::{Built, Known, build};
use super::read::{At, Doc};
use super::shape::{ConfigShape, ProbeShape};
use super::variants::Variant;
use super::{Config, DeskSettings};
use crate::model::{Account, Calendar, Intake};
use crate::problem::{Problem, suggest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MAIN: &str = "replypath.toml";

/// Loads and checks `replypath.toml`, `desks/*.toml` and `probes/*.toml` of a folder.
///
/// `env` gives environment variables. Nothing is sent and no network is used.
/// Errors: every problem of all files, in the order of files and places.
pub fn load(dir: &Path, env: &dyn Fn(&str) -> Option<String>, catalog: &dyn DeskCatalog) -> Result<Config, Vec<Problem>> {
    load_from(dir, None, env, catalog)
}

/// The same with a text in the place of the file `replypath.toml`.
pub fn load_from(
    dir: &Path,
    replypath_toml: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
    catalog: &dyn DeskCatalog,
) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut later = Vec::new();
    let text = match replypath_toml {
        Some(text) => Some(text.to_owned()),
        None => read_main(dir, &mut problems),
    };
    let definitions = definitions(dir, catalog, &mut later);
    let workshop = Workshop {
        dir,
        env,
        definitions: &definitions,
        doc: Doc::new(MAIN, text.as_deref().unwrap_or_default()),
        warnings: Vec::new(),
        inline: Vec::new(),
    };
    let config = assemble(workshop, text.is_some(), replypath_toml.is_none(), &mut problems, &mut later);
    problems.append(&mut later);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn assemble(mut shop: Workshop<'_>, there: bool, on_disk: bool, problems: &mut Vec<Problem>, later: &mut Vec<Problem>) -> Option<Config> {
    let shape: Option<At<ConfigShape>> = if there { shop.doc.parse() } else { None };
    let shape = shape.map(|s| s.value);
    let complete = shape.is_some();
    let daemon = shop.daemon(shape.as_ref());
    let page = shop.page(shape.as_ref());
    let browser = shop.browser(shape.as_ref());
    let shape = shape.unwrap_or_default();
    let (accounts, desks) = (entries(&shape.accounts), entries(&shape.desks));
    let built_accounts: BTreeMap<String, Account> =
        accounts.iter().filter_map(|(key, value)| Some((key.value.clone(), shop.account(key, value)?))).collect();
    let built_desks: BTreeMap<String, DeskSettings> =
        desks.iter().filter_map(|(key, value)| Some((key.value.clone(), shop.desk(key, value)?))).collect();
    let (intakes, calendars) = (entries(&shape.intakes), entries(&shape.calendars));
    let built_intakes: BTreeMap<String, Intake> =
        intakes.iter().filter_map(|(key, value)| Some((key.value.clone(), shop.intake(key, value)?))).collect();
    let built_calendars: BTreeMap<String, Calendar> =
        calendars.iter().filter_map(|(key, value)| Some((key.value.clone(), shop.calendar(key, value)?))).collect();
    let poll = |key: &str| built_accounts.get(key).map_or(Duration::from_secs(30), |a| a.mailbox.poll);
    let facts = |id: &str| shop.definitions.get(id).and_then(|d: &Definition| d.facts.as_deref());
    let known = Known {
        accounts: accounts.iter().map(|(k, _)| (k.value.as_str(), poll(&k.value))).collect(),
        desks: desks.iter().map(|(k, v)| (k.value.as_str(), v.value.r#use.as_ref().and_then(|id| facts(&id.value)))).collect(),
        intakes: intakes.iter().map(|(k, _)| (k.value.as_str(), ())).collect(),
        calendars: calendars.iter().map(|(k, _)| (k.value.as_str(), built_calendars.get(&k.value))).collect(),
        complete,
    };
    let files = toml_files(&shop.dir.join("probes"), "probes", later);
    let probes = if files.len() > daemon.max_probes {
        too_many("probe files", files.len(), daemon.max_probes, &shape, &mut shop.doc);
        Vec::new()
    } else {
        probes(files, &known, later)
    };
    if probes.len() > daemon.max_probes {
        too_many("probes with their variants", probes.len(), daemon.max_probes, &shape, &mut shop.doc);
    }
    super::rates::check(&shape, &known, &probes, &mut shop.doc);
    shop.warn_inline(on_disk);
    let unproven = |id: &str| facts(id).is_some_and(DeskDefinition::unproven);
    let unproven = built_desks.values().filter(|d| unproven(&d.definition)).map(|d| d.name.clone()).collect();
    let mut warnings = std::mem::take(&mut shop.warnings);
    warnings.extend(probes.iter().flat_map(|b| b.warnings.iter().cloned()));
    problems.extend(shop.doc.finish());
    Some(Config {
        dir: shop.dir.to_owned(),
        daemon,
        page,
        browser,
        accounts: built_accounts,
        desks: built_desks,
        intakes: built_intakes,
        calendars: built_calendars.clone(),
        probes: probes.into_iter().map(|b| (b.probe.name.clone(), b.probe)).collect(),
        unproven,
        warnings,
    })
}

/// The entries of a table that may not be there.
pub fn entries<T>(table: &Option<At<Keyed<T>>>) -> &[(At<String>, At<T>)] {
    table.as_ref().map_or(&[], |t| t.value.entries.as_slice())
}

fn read_main(dir: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let path = dir.join(MAIN);
    if !path.exists() {
        let help = format!("`replypath init {}` writes one to begin with; --config names another folder", dir.display());
        problems.push(Problem::of_file(MAIN, "there is no replypath.toml in this folder", Some(help)));
        return None;
    }
    read_text(&path, MAIN, problems)
}

fn too_many(what: &str, count: usize, allowed: usize, shape: &ConfigShape, doc: &mut Doc) {
    let daemon = shape.daemon.as_ref();
    let place = daemon.and_then(|d| d.value.max_probes.as_ref()).map(|m| m.span.clone());
    let message = format!("{count} {what} in probes/, but `max_probes` is {allowed}: {} too many", count - allowed);
    let series = count.saturating_mul(super::SERIES_OF_PROBE);
    let help = format!(
        "raise `max_probes` in [daemon] to {count} when that is meant; with at most {} series each, /metrics then shows up to {series}",
        super::SERIES_OF_PROBE
    );
    doc.problem(place, message, help);
}

/// One file of `probes/`, read but not yet checked: probes may name each other.
struct ProbeFile {
    file: TomlFile,
    doc: Doc,
    shape: Option<At<ProbeShape>>,
    variants: Vec<Variant<ProbeShape>>,
}

/// All probes with their variants.
fn probes(files: Vec<TomlFile>, known: &Known<'_>, problems: &mut Vec<Problem>) -> Vec<Built> {
    let mut built = Vec::new();
    let mut read = Vec::new();
    for file in files {
        if let Some(help) = bad_name(&file.stem) {
            problems.push(Problem::of_file(file.name.clone(), format!("`{}` cannot be the name of a probe", file.stem), Some(help)));
        }
        let Some(text) = read_text(&file.path, &file.name, problems) else { continue };
        let mut doc = Doc::new(file.name.clone(), &text);
        let (shape, variants) = doc.parse_with_variants::<ProbeShape>();
        read.push(ProbeFile { file, doc, shape, variants });
    }
    let names: Vec<String> = read
        .iter()
        .flat_map(|p| std::iter::once(p.file.stem.clone()).chain(p.variants.iter().map(|v| format!("{}.{}", p.file.stem, v.name))))
        .collect();
    for mut probe in read {
        let stem = &probe.file.stem;
        let folder = probe.file.path.parent().unwrap_or(Path::new("."));
        let variants = probe.variants.iter().map(|v| (format!("{stem}.{}", v.name), &v.shape));
        for (name, shape) in probe.shape.iter().map(|s| (stem.clone(), s)).chain(variants) {
            check_controls(&name, &shape.value, &names, &mut probe.doc);
            built.extend(build(&name, folder, &shape.value, known, &mut probe.doc));
        }
        problems.extend(probe.doc.finish());
    }
    built
}

/// Notes controls that no probe is.
fn check_controls(name: &str, shape: &ProbeShape, names: &[String], doc: &mut Doc) {
    for control in shape.controls.iter().flat_map(|c| &c.value.0) {
        if control.value == name && !name.contains('.') {
            doc.problem(control.span.clone(), "a probe cannot be a control of itself", None);
        } else if !names.contains(&control.value) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let help = suggest(&control.value, &known, "probes");
            doc.problem(control.span.clone(), format!("there is no probe `{}`", control.value), help);
        }
    }
}

/// Why a file's name makes no probe's name, as help; none when it does.
fn bad_name(stem: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if stem.len() <= 40 && stem.chars().all(good) && !stem.starts_with('-') && !stem.ends_with('-') {
        return None;
    }
    let plain: String = stem.to_lowercase().chars().map(|c| if good(c) { c } else { '-' }).take(40).collect();
    let words: Vec<&str> = plain.split('-').filter(|w| !w.is_empty()).collect();
    let rule = "a name has at most 40 of a-z, 0-9 and `-`";
    Some(if words.is_empty() { rule.to_owned() } else { format!("{rule}: rename the file to `{}.toml`", words.join("-")) })
}

impl Workshop<'_> {
    /// Remarks on secrets that stand in a file which others may read.
    fn warn_inline(&mut self, on_disk: bool) {
        if self.inline.is_empty() || !on_disk || !open_to_others(&self.dir.join(MAIN)) {
            return;
        }
        for (key, line) in &self.inline {
            let advice = "use { env = \"…\" } or { file = \"…\" }, or chmod 600";
            self.warnings.push(format!("{MAIN}:{line}: `{key}` stands in a file that every user of this machine may read: {advice}"));
        }
    }
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> bool {
    false
}

/// A file of a folder.
pub struct TomlFile {
    /// Where it is.
    pub path: PathBuf,
    /// As the user knows it: `probes/billing.toml`.
    pub name: String,
    /// Without `.toml`.
    pub stem: String,
}

/// The files `*.toml` of a folder by name; none when there is no such folder.
pub fn toml_files(folder: &Path, shown: &str, problems: &mut Vec<Problem>) -> Vec<TomlFile> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                problems.push(Problem::of_file(shown, format!("the folder cannot be read: {}", in_words(&error)), None));
            }
            return Vec::new();
        }
    };
    let mut files: Vec<TomlFile> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            // Editors leave hidden copies behind.
            let stem = name.strip_suffix(".toml").filter(|s| !s.starts_with('.'))?.to_owned();
            Some(TomlFile { path, name: format!("{shown}/{name}"), stem })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// A file's text; one that cannot be read is a problem.
pub fn read_text(path: &Path, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            problems.push(Problem::of_file(name, format!("the file cannot be read: {}", in_words(&error)), None));
            None
        }
    }
}
