//! `pilothouse promql test|parse|format|explain`

use std::io::Write;
use std::path::PathBuf;

use ph_promql::script::{Outcome as Judged, Report, Settings, run as run_script};
use ph_promql::{Expr, MemorySource, Params};

use crate::failure::{Failure, Outcome, code};
use crate::out;

/// Read, format and explain PromQL expressions, and run query tests; no server is asked.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Test(Test),
    Parse(Expression),
    Format(Expression),
    Explain(Explain),
}

/// Run query tests in the notation of Prometheus' own: load, clear, eval, expect.
///
/// Prints each eval that fails, and at the end `N passed, N failed, N unsupported`. What is about native histograms is
/// unsupported. Exit 1 when one failed.
#[derive(clap::Args, Debug)]
pub struct Test {
    /// Files of tests.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Drop the names of metrics at each operation, as a server does unless it is told otherwise, and not at the end, as
    /// Prometheus' tests expect.
    #[arg(long)]
    names_at_once: bool,
    /// Print every eval, also those that pass.
    #[arg(short, long)]
    verbose: bool,
}

/// Print an expression's syntax tree as JSON (parse), or the expression in its canonical form (format).
#[derive(clap::Args, Debug)]
pub struct Expression {
    /// The expression.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: String,
}

/// Print how an expression is understood: its tree with types, and what each selector reads.
#[derive(clap::Args, Debug)]
pub struct Explain {
    /// The expression.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: String,
    /// Length of a range query; without it, an instant query.
    #[arg(long, value_name = "DURATION")]
    range: Option<String>,
    /// Step of the range query.
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    step: String,
}

pub fn run(command: Command) -> Outcome {
    match command {
        Command::Test(args) => test(&args),
        Command::Parse(args) => {
            let tree = ph_promql::syntax_tree(&read(&args.expression)?);
            print(&serde_json::to_string_pretty(&tree)?)
        }
        Command::Format(args) => print(&read(&args.expression)?.to_string()),
        Command::Explain(args) => {
            let expr = read(&args.expression)?;
            let text = ph_promql::explain(&expr, &params(&args)?)?;
            print(text.trim_end())
        }
    }
}

fn params(args: &Explain) -> Result<Params, Failure> {
    let ms = |text: &str| {
        let ms = ph_promql::parse_duration(text).and_then(|ms| i64::try_from(ms).ok()).filter(|ms| *ms > 0);
        ms.ok_or_else(|| Failure::usage(format!("{text:?} is no duration; write 1h, 90s or 1h30m")))
    };
    match &args.range {
        Some(range) => Ok(Params::range(0, ms(range)?, ms(&args.step)?)),
        None => Ok(Params::instant(0)),
    }
}

/// The place of a fault is shown under the text.
fn read(expression: &str) -> Result<Expr, Failure> {
    ph_promql::parse(expression).map_err(|e| {
        let start = e.span.start.min(expression.len());
        let line = expression.get(..start).unwrap_or("").rfind('\n').map_or(0, |at| at + 1);
        let text = expression.get(line..).unwrap_or("").lines().next().unwrap_or("");
        let before = expression.get(line..start).map_or(0, |t| t.chars().count());
        Failure::usage(format!("{e}\n  {text}\n  {}^", " ".repeat(before)))
    })
}

fn print(text: &str) -> Outcome {
    let mut out = out::stdout();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn test(args: &Test) -> Outcome {
    let mut out = out::stdout();
    let (mut passed, mut failed, mut unsupported) = (0, 0, 0);
    let settings = Settings { delays_names: !args.names_at_once, ..Settings::default() };
    for file in &args.files {
        let script = std::fs::read_to_string(file)
            .map_err(|e| Failure::failed(format!("read {}: {e}", file.display())))?;
        let report = run_script(&script, &mut MemorySource::new(), settings);
        tell(&mut out, &file.display().to_string(), (&report, args.verbose))?;
        passed += report.passed();
        failed += report.failed();
        unsupported += report.unsupported();
    }
    writeln!(out, "{passed} passed, {failed} failed, {unsupported} unsupported")?;
    out.flush()?;
    if failed > 0 { Err(Failure::quiet(code::FAILED)) } else { Ok(()) }
}

fn tell(out: &mut impl Write, file: &str, (report, all): (&Report, bool)) -> Result<(), Failure> {
    for (line, why) in &report.faults {
        writeln!(out, "{file}:{line}: {why}")?;
    }
    for case in &report.cases {
        match &case.outcome {
            Judged::Failed(why) => writeln!(out, "{file}:{}: {}\n    {why}", case.line, case.command)?,
            Judged::Unsupported(why) if all => {
                writeln!(out, "{file}:{}: unsupported: {}\n    {why}", case.line, case.command)?;
            }
            Judged::Passed if all => writeln!(out, "{file}:{}: passed: {}", case.line, case.command)?,
            _ => {}
        }
    }
    Ok(())
}
