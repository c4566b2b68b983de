//! What a browser sends as `multipart/form-data`.

use super::super::mime::File;
use axum::extract::Multipart;
use std::collections::HashMap;

/// More parts than this has no form of ours.
const PART_LIMIT: usize = 60;
/// Files that one request may bring.
const FILE_LIMIT: usize = 10;

/// The fields and the files of one submission.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) texts: HashMap<String, String>,
    pub(crate) files: Vec<File>,
}

/// Reads it all; the body's size is limited before.
///
/// # Errors
/// When it cannot be read or is too much, in words for people.
pub(crate) async fn read(mut parts: Multipart) -> Result<Upload, String> {
    let mut upload = Upload::default();
    for _ in 0..PART_LIMIT {
        let Some(part) = parts.next_field().await.map_err(|e| e.body_text())? else { return Ok(upload) };
        let name = part.name().unwrap_or_default().to_owned();
        let content_type = part.content_type().unwrap_or("application/octet-stream").to_owned();
        match part.file_name().map(str::to_owned) {
            Some(file) => {
                let bytes = part.bytes().await.map_err(|e| e.body_text())?.to_vec();
                // A browser sends an empty part for a file field that was left empty.
                if !file.is_empty() {
                    upload.files.push(File { name: file, content_type, bytes });
                }
            }
            None => {
                let text = part.bytes().await.map_err(|e| e.body_text())?;
                upload.texts.insert(name, String::from_utf8_lossy(&text).into_owned());
            }
        }
        if upload.files.len() > FILE_LIMIT {
            break;
        }
    }
    Err("The request has too many parts.".to_owned())
}
