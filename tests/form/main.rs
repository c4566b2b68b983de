//! Web forms without a browser, against servers of the tests' own: forms as real products make them, and servers that
//! stall, lie, flood and lead astray.

mod answers;
mod fields;
mod products;
mod rude;
mod sandbox;
mod server;
mod tls;
mod walls;
