//! Size and hash of the files of messages, fetched with the desk's credentials where the desk gives their bytes.

use super::call::address;
use super::live::HttpDesk;
use super::mapping::{Mapper, base64_bytes};
use super::outcome::{Failure, judge_file};
use super::path::{Path, json, scalar};
use super::recipe::FileBytes;
use super::scope::{Item, Value};
use crate::model::Attachment;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long the hash of a file is taken as known: the same messages are read again and again while a run waits.
const FILE_LIFE: Duration = Duration::from_secs(300);
const MAX_FILES: usize = 500;

impl HttpDesk {
    /// Fills in size and hash of a message's files.
    pub(super) async fn hashed(&self, mapper: &Mapper<'_, '_>, message: &str) -> Result<Vec<Attachment>, Failure> {
        let Some(map) = self.definition().message.as_ref().and_then(|m| m.files.as_ref()) else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for (row, mut file) in mapper.files(map).map_err(Failure::contract)? {
            match &map.bytes {
                FileBytes::None => {}
                FileBytes::Inline { path, decode } => {
                    if let Some(text) = scalar(&path.eval(&row).map_err(Failure::contract)?) {
                        let bytes = if decode.is_empty() { text.into_bytes() } else { base64_bytes(&text).map_err(Failure::contract)? };
                        fill(&mut file, bytes.len() as u64, hash(&bytes));
                    }
                }
                FileBytes::Fetch { url, content, decode } => {
                    let mut scope = mapper.scope.with_item(Item::Json(row));
                    scope.set("message.id", Value::text(message));
                    let absolute = !url.text().starts_with('/');
                    let url = address(&self.runner.settings, url, absolute, &scope).map_err(Failure::contract)?;
                    // A link that leads nowhere gives an agent nothing, whatever size the desk tells.
                    let (size, hash) = self.fetched(url, content.as_ref(), !decode.is_empty()).await?.unwrap_or_else(|| (0, hash(b"")));
                    fill(&mut file, size, hash);
                }
            }
            out.push(file);
        }
        Ok(out)
    }

    /// Size and hash of a file; none when the desk says that it does not exist.
    async fn fetched(&self, url: reqwest::Url, content: Option<&Path>, base64: bool) -> Result<Option<(u64, String)>, Failure> {
        let key = url.to_string();
        {
            let files = self.files.lock().unwrap_or_else(|e| e.into_inner());
            if let Some((at, size, hash)) = files.get(&key)
                && at.elapsed() < FILE_LIFE
            {
                return Ok(Some((*size, hash.clone())));
            }
        }
        let reply = self.runner.fetch(url).await?;
        let failed = |f: Failure| Failure { message: format!("GET {}: {}", reply.url.path(), f.message), ..f };
        let bytes =
            match judge_file(&self.definition().outcome, &reply, Timestamp::now()).inspect_err(|f| self.runner.obey(f)).map_err(failed)? {
                false => return Ok(None),
                true => match content {
                    None => reply.body.clone(),
                    Some(path) => {
                        let answer = json(&String::from_utf8_lossy(&reply.body)).map_err(|m| failed(Failure::contract(m)))?;
                        let text = scalar(&path.eval(&answer).map_err(Failure::contract)?);
                        let text = text.ok_or_else(|| failed(Failure::contract(format!("the answer has no `{}`", path.text()))))?;
                        if base64 { base64_bytes(&text).map_err(|m| failed(Failure::contract(m)))? } else { text.into_bytes() }
                    }
                },
            };
        let (size, hash) = (bytes.len() as u64, hash(&bytes));
        let mut files = self.files.lock().unwrap_or_else(|e| e.into_inner());
        if files.len() >= MAX_FILES {
            files.clear();
        }
        files.insert(key, (Instant::now(), size, hash.clone()));
        Ok(Some((size, hash)))
    }
}

fn fill(file: &mut Attachment, size: u64, hash: String) {
    file.size = Some(size);
    file.sha256 = Some(hash);
}

/// SHA-256, hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
