//! The binary `fusewall`.

use std::process::ExitCode;

fn main() -> ExitCode {
    fusewall::cli::main()
}
