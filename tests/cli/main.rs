//! The built program as users and pipelines meet it: arguments in; exit code, output and files out. The other side is
//! `replypath sandbox --init`, so nothing but loopback is needed.

mod contracts;
mod daemon;
mod document;
mod history;
mod runs;
mod site;
mod words;
