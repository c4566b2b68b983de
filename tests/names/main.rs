//! Exchangers, certificates and mail policies, against servers made here: good ones, and ones that lie, cut or say nothing.

mod certificates;
mod dns;
mod exchangers;
mod server;
