//! Writing into fields as a person does: key by key, so that the page's scripts see what they expect.

use super::fields::{Field, Task};
use super::session::Session;
use super::trouble::{self, Broken};
use crate::engine::ways::Stop;
use crate::model::{Fill, OutgoingAttachment, ResultClass};
use serde_json::{Value, json};
use thirtyfour::{Key, WebElement};

/// So much is typed; the rest of a longer text is pasted.
const TYPED: usize = 400;
/// Values of these have a form of their own that depends on the machine's language when typed.
const SET: [&str; 8] = ["date", "time", "datetime-local", "month", "week", "color", "range", "number"];

/// Does one task. The error says which field.
pub(super) async fn fill(session: &Session, field: &Field, task: &Task) -> Result<(), Stop> {
    let done = match &task.fill {
        Fill::Write(text) => write_field(session, field, text).await,
        Fill::Choose(option) => choose(session, field, option).await,
        Fill::Tick(on) => tick(session, field, *on).await,
    };
    done.map_err(|wrong| match wrong {
        Wrong::Broken(broken) if !broken.passes() => broken.into(),
        Wrong::Broken(broken) => unfit(format!("the field “{}” could not be filled in: {}", field.called(), broken.words())),
        Wrong::Unfit(text) => unfit(text),
    })
}

/// The probe does not fit the form.
pub(super) fn unfit(text: impl Into<String>) -> Stop {
    Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, text)
        .advice("correct `[[form.fields]]` of the probe; `replypath doctor` shows what the form asks for")
}

enum Wrong {
    Broken(Broken),
    Unfit(String),
}

impl<T: Into<Broken>> From<T> for Wrong {
    fn from(broken: T) -> Wrong {
        Wrong::Broken(broken.into())
    }
}

fn first(session: &Session, field: &Field) -> Result<WebElement, Wrong> {
    let reference = field.elements.first().cloned().unwrap_or(Value::Null);
    session.element(reference)?.ok_or_else(|| Wrong::Unfit(format!("the field “{}” is gone", field.called())))
}

async fn write_field(session: &Session, field: &Field, text: &str) -> Result<(), Wrong> {
    if matches!(field.kind.as_str(), "checkbox" | "radio" | "select" | "file") {
        return Err(Wrong::Unfit(format!("nothing can be written into “{}”, it is a {}", field.called(), field.kind)));
    }
    let element = first(session, field)?;
    if SET.contains(&field.kind.as_str()) {
        session.page("set", &[element.to_json()?, json!(text)]).await?;
        return Ok(());
    }
    if !field.value.is_empty() {
        session.call(element.clear()).await?;
    }
    // Enter would submit the form.
    let one_line = text.replace(['\r', '\n'], " ");
    type_into(session, &element, if field.kind == "textarea" { text } else { &one_line }).await?;
    Ok(())
}

/// Shift and Enter, then Shift let go (WebDriver, "Element Send Keys"): a new line also where Enter alone sends what was
/// written so far, as in most chat windows.
const NEW_LINE: &str = "\u{E008}\u{E007}\u{E000}";

/// Types a text. What no key can type (beyond the basic plane, or taken for a function key) is pasted, and the bulk of a long
/// text too.
pub(super) async fn type_into(session: &Session, element: &WebElement, text: &str) -> Result<(), Broken> {
    let text = text.replace("\r\n", "\n");
    let (typed, pasted) = match text.char_indices().nth(TYPED) {
        Some((at, _)) => text.split_at(at),
        None => (text.as_str(), ""),
    };
    for (keys, part) in runs(typed) {
        if keys {
            session.call(element.send_keys(part.replace('\n', NEW_LINE))).await?;
        } else {
            session.page("insert", &[element.to_json()?, json!(part)]).await?;
        }
    }
    if !pasted.is_empty() {
        session.page("insert", &[element.to_json()?, json!(pasted)]).await?;
        // A page that listens to keys alone hears of it too.
        session.call(element.send_keys(Key::End)).await?;
    }
    Ok(())
}

/// Parts of a text that keys can type, and those that they cannot, in turn.
fn runs(text: &str) -> Vec<(bool, String)> {
    let by_key = |c: char| c as u32 <= 0xFFFF && !('\u{E000}'..='\u{F8FF}').contains(&c);
    let mut out: Vec<(bool, String)> = Vec::new();
    for c in text.chars() {
        match out.last_mut() {
            Some((keys, part)) if *keys == by_key(c) => part.push(c),
            _ => out.push((by_key(c), c.to_string())),
        }
    }
    out
}

async fn choose(session: &Session, field: &Field, option: &str) -> Result<(), Wrong> {
    let none =
        || Wrong::Unfit(format!("“{}” has no option “{option}”, only {}", field.called(), trouble::short(&field.options.join(", "), 200)));
    if field.kind == "radio" {
        let wanted = option.trim().to_lowercase();
        let exact = field.options.iter().position(|o| o.to_lowercase() == wanted);
        let at = exact.or_else(|| field.options.iter().position(|o| o.to_lowercase().contains(&wanted))).ok_or_else(none)?;
        let button = session.element(field.elements.get(at).cloned().unwrap_or(Value::Null))?.ok_or_else(none)?;
        return Ok(click_box(session, &button).await?);
    }
    if field.kind != "select" {
        return Err(Wrong::Unfit(format!("nothing can be chosen in “{}”, it is a {}", field.called(), field.kind)));
    }
    let list = first(session, field)?;
    let found = session.page("option", &[list.to_json()?, json!(option)]).await?;
    let found = session.element(found)?.ok_or_else(none)?;
    session.call(found.click()).await?;
    Ok(())
}

async fn tick(session: &Session, field: &Field, on: bool) -> Result<(), Wrong> {
    if field.kind != "checkbox" {
        return Err(Wrong::Unfit(format!("“{}” cannot be ticked, it is a {}", field.called(), field.kind)));
    }
    if field.checked != on {
        let element = first(session, field)?;
        click_box(session, &element).await?;
    }
    Ok(())
}

/// Clicks a box or, where that is drawn by its label alone, the label.
async fn click_box(session: &Session, element: &WebElement) -> Result<(), Broken> {
    match session.click(element).await {
        Err(broken) if broken.passes() => match session.element(session.page("label", &[element.to_json()?]).await?)? {
            Some(label) => session.click(&label).await,
            None => Err(broken),
        },
        other => other,
    }
}

/// Hands files to an input: written into the session's own folder, under their own names.
pub(super) async fn attach(session: &Session, input: &Field, files: &[OutgoingAttachment]) -> Result<(), Stop> {
    if files.len() > 1 && !input.multiple {
        return Err(unfit(format!("the file input “{}” takes one file, and the probe has {}", input.called(), files.len())));
    }
    let element =
        session.element(input.elements.first().cloned().unwrap_or(Value::Null))?.ok_or_else(|| unfit("the file input is gone"))?;
    upload(session, &element, files).await
}

/// Hands files to an element.
pub(super) async fn upload(session: &Session, element: &WebElement, files: &[OutgoingAttachment]) -> Result<(), Stop> {
    let mut paths = Vec::new();
    for (at, file) in files.iter().enumerate() {
        // One folder each: two files may have one name.
        let folder = session.folder().join(format!("upload-{at}"));
        let path = folder.join(safe_name(&file.name));
        let written = async {
            tokio::fs::create_dir_all(&folder).await?;
            tokio::fs::write(&path, &file.bytes).await
        };
        written.await.map_err(|e| trouble::crashed(format!("cannot write a file for the upload: {e}")))?;
        paths.push(path.to_string_lossy().into_owned());
    }
    // One input takes several paths on lines of their own (W3C WebDriver, "Element Send Keys", step for file inputs).
    Ok(session.call(element.send_keys(paths.join("\n"))).await?)
}

/// A file's name without what would lead out of its folder.
fn safe_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base.chars().filter(|c| !c.is_control()).collect();
    if matches!(clean.as_str(), "" | "." | "..") { "file".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_key_can_type_is_told_apart() {
        assert_eq!(runs("ab😀c"), [(true, "ab".to_owned()), (false, "😀".to_owned()), (true, "c".to_owned())]);
        // WebDriver takes U+E007 for Enter: a text may hold it all the same.
        assert_eq!(runs("\u{e007}"), [(false, "\u{e007}".to_owned())]);
        assert!(runs("").is_empty());
    }

    #[test]
    fn a_files_name_leads_nowhere_else() {
        for (name, safe) in
            [("a b.txt", "a b.txt"), ("../../etc/passwd", "passwd"), ("..", "file"), ("C:\\x\\y.png", "y.png"), ("", "file")]
        {
            assert_eq!(safe_name(name), safe);
        }
    }
}
