//! Runs libmodsecurity for `fusewall replay`, in a process of its own: a request that ends that engine ends nothing else.
//!
//! JSON lines on standard input and output. The first line names the library and the rules, and is answered with the name of the
//! engine; each line behind it is a request, and is answered with a verdict. Whatever fails is answered with `error`.

mod api;
mod engine;
mod messages;

use engine::Engine;
use messages::{Answer, Request, Setup};
use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::FromRawFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fusewall-against: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Answers line by line until there are no more.
fn serve() -> anyhow::Result<()> {
    let mut answers = own_output()?;
    let mut answer = |answer: Answer| -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        Ok(answers.write_all(&line)?)
    };
    let mut lines = std::io::stdin().lock().lines();
    let Some(first) = lines.next().transpose()? else { return Ok(()) };
    let engine = match serde_json::from_str::<Setup>(&first).map_err(Into::into).and_then(|setup| Engine::load(&setup))
    {
        Ok(engine) => engine,
        Err(error) => return answer(Answer::Error { error: format!("{error:#}") }),
    };
    answer(Answer::Ready { engine: engine.name() })?;
    for line in lines {
        let request = serde_json::from_str::<Request>(&line?).map_err(Into::into);
        match request.and_then(|request| engine.judge(&request)) {
            Ok(verdict) => answer(Answer::Verdict(verdict))?,
            Err(error) => answer(Answer::Error { error: format!("{error:#}") })?,
        }
    }
    Ok(())
}

/// The standard output, for answers alone: what libraries print goes to the standard error.
fn own_output() -> std::io::Result<File> {
    // SAFETY: both are descriptors of this process, which has one thread.
    let own = unsafe { libc::dup(libc::STDOUT_FILENO) };
    // SAFETY: as above.
    if own < 0 || unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: it was made above, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(own) })
}
