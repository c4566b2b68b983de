//! The files of lines, fetched as the visitor: what a customer would get.

use super::stop::Broke;
use super::talk::Talk;
use crate::desk::call::address;
use crate::desk::files::hash;
use crate::desk::http::Call;
use crate::desk::mapping::base64_bytes;
use crate::desk::outcome::{Failure, judge_file};
use crate::desk::path::{Path, json, scalar};
use crate::desk::recipe::FileBytes;
use crate::desk::scope::{Item, Value};
use crate::model::{Attachment, ChatLine, ResultClass};

impl Talk {
    /// Size and hash of a line's file; without them when the desk has the line but not the bytes.
    pub async fn fetched(&self, line: &ChatLine, name: &str) -> Result<Attachment, Broke> {
        let told = line.files.iter().find(|f| f.name == name).cloned();
        let none = told.unwrap_or(Attachment { name: name.to_owned(), content_type: String::new(), size: None, sha256: None });
        let none = Attachment { size: None, sha256: None, ..none };
        let map = self.desk.recipe.line.as_ref().and_then(|l| l.files.as_ref());
        let (Some(map), Some(row)) = (map, self.file(line, name)) else {
            return Err(Failure::contract("the line's file is not known; read the conversation first").into());
        };
        let bytes = match &map.bytes {
            FileBytes::None => return Ok(none),
            FileBytes::Inline { path, decode } => {
                let text = scalar(&path.eval(&row).map_err(Failure::contract)?).unwrap_or_default();
                if decode.is_empty() { text.into_bytes() } else { base64_bytes(&text).map_err(Failure::contract)? }
            }
            FileBytes::Fetch { url, content, decode } => {
                let mut scope = self.scope();
                scope.set("message.id", Value::text(line.id.clone().unwrap_or_default()));
                let scope = scope.with_item(Item::Json(row));
                let target = address(&self.desk.runner.settings, url, !url.text().starts_with('/'), &scope).map_err(Failure::contract)?;
                match self.body(target, &scope, content.as_ref(), !decode.is_empty()).await? {
                    Some(bytes) => bytes,
                    None => return Ok(none),
                }
            }
        };
        Ok(Attachment { size: Some(bytes.len() as u64), sha256: Some(hash(&bytes)), ..none })
    }

    /// The bytes behind a file's address; none when the desk does not give them to the visitor.
    async fn body(
        &self,
        url: reqwest::Url,
        scope: &crate::desk::scope::Scope<'_>,
        content: Option<&Path>,
        base64: bool,
    ) -> Result<Option<Vec<u8>>, Broke> {
        let runner = &self.desk.runner;
        let mut call = Call { jar: scope.sent.jar.clone(), ..Call::get(url) };
        crate::desk::call::visiting(scope, &mut call.headers).map_err(Failure::contract)?;
        let reply = runner.send(&call).await?;
        match judge_file(&runner.definition.outcome, &reply, jiff::Timestamp::now()) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            // A visitor who is refused the file, or gets an error for it, has no file.
            Err(failure) if failure.answered() && failure.class != ResultClass::Throttled => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
        let Some(path) = content else { return Ok(Some(reply.body)) };
        let answer = json(&String::from_utf8_lossy(&reply.body)).map_err(Failure::contract)?;
        let text = scalar(&path.eval(&answer).map_err(Failure::contract)?)
            .ok_or_else(|| Failure::contract(format!("the answer has no `{}`", path.text())))?;
        Ok(Some(if base64 { base64_bytes(&text).map_err(Failure::contract)? } else { text.into_bytes() }))
    }
}
