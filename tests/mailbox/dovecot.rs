//! Against a real Dovecot with Postfix before it; see [`stack`].
