//! Names and certificates as a careful sender sees them: the exchangers that the DNS names for a domain, the certificate that
//! each shows, and what the domain says about who may send its mail.

pub mod dns;
mod memo;
mod question;
