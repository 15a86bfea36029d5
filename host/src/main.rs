//! The `aaasp` binary: parse the arguments, do what they say, exit with a status that scripts can rely on.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    aaasp::cli::main()
}
