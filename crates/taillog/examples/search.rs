//! Searches log files and writes the messages, or says how long the parts of it took.
//!
//! In:     `search [--threads N] [--head N | --tail N] [--since NS] [--room MIB] [--quiet] FILTER-JSON|TEXT PATH…`
//! Out:    messages on stdout, one line of figures on stderr, as `name=number`.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ph_filter::{Compiled, Filter};
use ph_taillog::{Event, Extent, Order, ReadAsk, Roots, State, Together, local_sources};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (mut threads, mut extent, mut from_ns, mut quiet) = (1, Extent::Each, None, false);
    // For gzip files that are held inflated.
    let mut room = 256;
    let text = loop {
        let arg = args.next().ok_or("a text or a filter is missing")?;
        let mut number = || args.next().ok_or_else(|| format!("{arg} needs a number"));
        match arg.as_str() {
            "--threads" => threads = number()?.parse()?,
            "--head" => extent = Extent::Head(number()?.parse()?),
            "--tail" => extent = Extent::Tail(number()?.parse()?),
            "--since" => from_ns = Some(number()?.parse()?),
            "--room" => room = number()?.parse()?,
            "--quiet" => quiet = true,
            _ => break arg,
        }
    };
    let filter = match text.as_str() {
        "" => Filter::All,
        json if json.starts_with('{') => serde_json::from_str(json)?,
        text => Filter::contains(text),
    };
    let mut sources = Vec::new();
    for path in args {
        sources.extend(local_sources(Path::new(&path))?);
    }
    let began = Instant::now();
    let ask = ReadAsk {
        filter: Arc::new(Compiled::new(&filter)?),
        all_runs: true,
        threads,
        from_ns,
        ..ReadAsk::default()
    };
    let roots = Roots::default().with_files().with_inflated(128 << 20, room << 20);
    let mut together = Together::open(&roots, &sources, ask, (extent, Order::Strict));
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let mut first = None;
    loop {
        let turn = together.turn(0);
        for event in turn.events {
            match event {
                Event::Records(run) => {
                    first.get_or_insert_with(|| began.elapsed());
                    for (_, message) in run.iter().filter(|_| !quiet) {
                        out.write_all(message)?;
                        out.write_all(b"\n")?;
                    }
                }
                Event::Note(source, note) => eprintln!("source {source}: {note:?}"),
                Event::Failed(source, error) => eprintln!("source {source}: {error}"),
            }
        }
        if turn.state == State::Ended {
            break;
        }
    }
    out.flush()?;
    let stats = together.stats();
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "took_ms={:.2} first_ms={:.3} gb_per_s={:.2} {stats:?}",
        seconds * 1e3,
        first.map_or(f64::NAN, |d| d.as_secs_f64() * 1e3),
        stats.scanned_bytes as f64 / seconds / 1e9
    );
    Ok(())
}
