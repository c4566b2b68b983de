//! Further pages of a list: how the next one is asked for, and when there is none.

use super::definition::{AuthKind, Page, PageKind, Step};
use super::flow::{Ended, Got, Runner, kept, picked, rows};
use super::http::{Call, Reply, place};
use super::matching::older;
use super::outcome::Failure;
use super::path::{Json, Path, scalar};
use super::scope::Scope;
use reqwest::Url;
use reqwest::header::LINK;

impl Runner {
    /// Takes a step page by page.
    pub(super) async fn pages(&self, step: &Step, page: &Page, first: Call, scope: &Scope<'_>) -> Result<Got, Ended> {
        if let PageKind::LastFromCount { count, param, size } = &page.kind {
            return self.last_pages(step, page.max, (count, param, *size), first).await;
        }
        let mut call = first;
        if let PageKind::Number { param, from, .. } = &page.kind {
            set_param(&mut call.url, param, &from.to_string());
        }
        let mut all: Vec<Json> = Vec::new();
        let mut picks = Vec::new();
        let mut pages = Vec::new();
        for number in 1..=page.max {
            let (reply, body) = match self.exchange(step, &call).await {
                // A desk that answers the page after the last one with "nothing" has said it all.
                Err(Ended::Empty) if number > 1 => break,
                other => other?,
            };
            if number == 1 {
                picks = picked(step, &body, Some(&reply))?;
            }
            let rows = rows(step, &body)?;
            let next = self.next((step, page), &call, (&reply, &body), rows.len(), number)?;
            let end = page.newest_first && rows.iter().any(|row| older(step, row, scope));
            all.extend(rows);
            if step.keep.is_none() {
                pages.push(all.len());
            }
            match next {
                Some(next) if !end => call = next,
                _ => {
                    let (answer, trail) = kept(step, all)?;
                    return Ok(Got { answer, trail, truncated: false, picks, exchange: None, pages });
                }
            }
        }
        let (answer, trail) = kept(step, all)?;
        Ok(Got { answer, trail, truncated: true, picks, exchange: None, pages })
    }

    /// The call for the page after this one; none when this was the last.
    fn next(
        &self,
        (step, page): (&Step, &Page),
        call: &Call,
        (reply, body): (&Reply, &Json),
        rows: usize,
        number: usize,
    ) -> Result<Option<Call>, Failure> {
        let target = match &page.kind {
            PageKind::NextUrl(path) => scalar(&path.eval(body).map_err(Failure::contract)?).filter(|t| !t.is_empty()),
            PageKind::LinkHeader => reply.headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok()).find_map(next_link),
            PageKind::Cursor { path, param } => {
                let cursor = scalar(&path.eval(body).map_err(Failure::contract)?).filter(|t| !t.is_empty());
                let same = |c: &str| call.url.query_pairs().any(|(k, v)| k == param.as_str() && v == c);
                return match cursor {
                    // Some desks hand out the last cursor for ever; with rows it is the same page again.
                    Some(c) if same(&c) && rows == 0 => Ok(None),
                    Some(c) if same(&c) => {
                        Err(Failure::contract("the desk gives the same page again, so the rest of the list cannot be seen"))
                    }
                    other => Ok(other.map(|c| with_param(call, param, &c))),
                };
            }
            PageKind::Number { param, from, size } => {
                let more = rows > 0 && size.is_none_or(|s| rows as u64 >= s);
                return Ok(more.then(|| with_param(call, param, &(from + number as u64).to_string())));
            }
            PageKind::Offset { param, size } => {
                let more = rows as u64 >= *size;
                return Ok(more.then(|| with_param(call, param, &(size * number as u64).to_string())));
            }
            PageKind::LastFromCount { .. } => None,
        };
        let Some(target) = target else { return Ok(None) };
        let mut url = reply.url.join(&target).map_err(|e| Failure::contract(format!("the next page's URL cannot be read: {e}")))?;
        if !self.settings.allows(&url) {
            let text =
                format!("the next page is said to be at {}, which is not among the desk's hosts; nothing was sent there", place(&url));
            return Err(Failure::contract(text));
        }
        let signed = step.auth.as_ref().or(self.settings.auth.as_ref());
        if let Some(auth) = self.definition.auths.iter().find(|a| Some(&a.name) == signed)
            && let AuthKind::Query { name, .. } = &auth.kind
        {
            let value = call.url.query_pairs().find(|(k, _)| k == name.as_str()).map(|(_, v)| v.into_owned());
            if let Some(value) = value {
                set_param(&mut url, name, &value);
            }
        }
        Ok(Some(Call { url, ..call.clone() }))
    }

    /// Lists that are oldest first without an order parameter: the last pages, by a count that the first page tells.
    async fn last_pages(&self, step: &Step, max: usize, how: (&Path, &str, u64), call: Call) -> Result<Got, Ended> {
        let (count, param, size) = how;
        let (reply, body) = self.exchange(step, &call).await?;
        let picks = picked(step, &body, Some(&reply))?;
        let total = scalar(&count.eval(&body).map_err(Failure::contract)?).and_then(|t| t.parse::<u64>().ok());
        let total = total.ok_or_else(|| Failure::contract(format!("the answer has no count at `{}`", count.text())))?;
        let last = total.div_ceil(size).max(1);
        let mut all = Vec::new();
        let first = last.saturating_sub(max as u64 - 1).max(1);
        for number in first..=last {
            let body =
                if number == 1 { body.clone() } else { self.exchange(step, &with_param(&call, param, &number.to_string())).await?.1 };
            all.extend(rows(step, &body)?);
        }
        let (answer, trail) = kept(step, all)?;
        // A new ticket stands in the last pages; of a ticket's messages the first ones count as well.
        let truncated = first > 1 && step.matching.is_none();
        Ok(Got { answer, trail, truncated, picks, exchange: None, pages: Vec::new() })
    }
}

fn with_param(call: &Call, name: &str, value: &str) -> Call {
    let mut next = call.clone();
    set_param(&mut next.url, name, value);
    next
}

fn set_param(url: &mut Url, name: &str, value: &str) {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(k, _)| k != name).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
}

/// The target of `rel="next"` in a Link header (RFC 8288 section 3). A target may hold commas and semicolons.
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let params = after.split_once('<').map_or(after, |(params, _)| params);
        let next = params.trim_end().trim_end_matches(',').split(';').any(|p| {
            let (name, value) = p.trim().split_once('=').unwrap_or_default();
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && value.split_whitespace().any(|r| r.eq_ignore_ascii_case("next"))
        });
        if next {
            return Some(target.trim().to_owned());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn the_next_link_is_found_among_others_and_with_commas_in_its_target() {
        for (header, target) in [
            (r#"</a?x=1>; rel="prev", </b?f=a,b;c>; rel="next""#, Some("/b?f=a,b;c")),
            (r#"</c>; title="a"; REL=next"#, Some("/c")),
            (r#"</d>; rel="last next""#, Some("/d")),
            (r#"</e>; rel="prev""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(next_link(header).as_deref(), target, "{header}");
        }
    }
}
