//! Our own request files: one JSON object a line, as `fusewall run` reads them.

use super::lines::{Line, Lines};
use super::{Decided, EXCHANGE_BYTES, Lacks, Recorded, Sink};
use crate::cli::requests::Request;
use crate::rule::Field;
use std::io::BufRead;

pub(super) fn read(input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut lines = Lines::new(input, EXCHANGE_BYTES);
    while let Some(line) = lines.next()? {
        let request = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => recorded(line),
            Line::TooLong => Err(anyhow::anyhow!("a line of more than {EXCHANGE_BYTES} bytes")),
        };
        match request {
            Ok(mut recorded) => {
                if recorded.request.id.is_empty() {
                    recorded.request.id = sink.name(lines.number());
                }
                sink.add(recorded)?;
            }
            Err(error) => sink.unread(lines.number(), format_args!("{error:#}")),
        }
    }
    Ok(())
}

fn recorded(line: &[u8]) -> anyhow::Result<Recorded> {
    let request = serde_json::from_slice::<Request>(line)?.prepare()?;
    let fields = match request.response {
        Some(_) => vec![],
        None => vec![Field::ResponseHeaders, Field::ResponseBody],
    };
    let decided =
        request.response.as_ref().map(|response| Decided { status: response.status, blocked: None, rules: None });
    Ok(Recorded { request, lacks: Lacks::of(fields), decided })
}
