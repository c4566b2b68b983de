//! The program; see [`replypath::cli`].

fn main() -> std::process::ExitCode {
    replypath::cli::main()
}
