//! demo
use super::{Context, Ended, Failure};
#[derive(clap::Args)]
pub struct Args {}
pub async fn run(_args: Args, _context: &Context) -> Ended {
    Err(Failure::ours("not joined yet"))
}
