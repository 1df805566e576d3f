//! The command line of isobuild.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    isobuild::cli::run()
}
