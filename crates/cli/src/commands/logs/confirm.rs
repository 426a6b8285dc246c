//! Asking before much is read.

use std::io::{IsTerminal, Write};

use super::args::Limits;
use crate::failure::{Doing, Failure, Outcome};
use crate::size;

/// Whether an estimate has to be known: somebody can be asked, and did not say `--yes`.
pub fn matters(limits: &Limits) -> bool {
    !limits.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Goes on when the estimate lies below the limit, or when the person says so.
pub fn above(estimate: u64, limit: u64) -> Outcome {
    if estimate <= limit {
        return Ok(());
    }
    eprint!("about {} would be read; go on? [y/N] ", size::shown(estimate));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).doing(|| "read the answer".to_owned())?;
    if is_yes(&answer) {
        return Ok(());
    }
    Err(Failure::usage("not confirmed").next("narrow it with --since, -g or --tail, or say --yes"))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        assert!(is_yes("y\n") && is_yes("YES"));
        assert!(!is_yes("") && !is_yes("n") && !is_yes("yep"));
        assert!(above(5, 5).is_ok());
    }
}
