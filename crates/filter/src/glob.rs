//! Names with wildcards.
//!
//! In:     a pattern, a name. Out: whether it fits. Time is the product of their lengths at most.

/// Whether a name fits: `*` is any run of characters, `?` any one.
pub fn glob_fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(w) if *w == b'?' || w == c => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    (p, n) = (at + 1, reach + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

/// Whether a text has wildcards.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    //! Runs, single characters, and their ends.

    use super::*;

    #[test]
    fn stars_and_question_marks_fit_runs_and_single_characters() {
        for (pattern, name) in [
            ("web", "web"),
            ("web-*", "web-"),
            ("*-0", "a-0-0"),
            ("w?b", "wab"),
            ("*", ""),
            ("a*b*c", "axbxbc"),
        ] {
            assert!(glob_fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("web", "web-1"), ("web", "we"), ("w?b", "wb"), ("*-0", "a-1"), ("", "a"), ("a*b", "abc")]
        {
            assert!(!glob_fits(pattern, name), "{pattern} {name}");
        }
        assert!(is_glob("a?") && is_glob("*") && !is_glob("a.b"));
    }
}
