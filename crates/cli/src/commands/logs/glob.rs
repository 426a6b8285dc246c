//! Names with `*` and `?`, and paths with them.

use std::path::{Path, PathBuf};

/// Whether a text has wildcards.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a name fits: `*` is any run of characters, `?` any one.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j) = (0, 0);
    // Where the last `*` stands, and up to where it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = n.get(j) {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(w) if *w == '?' || w == c => (i, j) = (i + 1, j + 1),
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    (i, j) = (at + 1, reach + 1);
                }
                None => return false,
            },
        }
    }
    p.get(i..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// The paths that exist and fit, sorted; a path that exists as it is written is itself.
pub fn paths(text: &str) -> Vec<PathBuf> {
    let path = Path::new(text);
    if path.exists() {
        return vec![path.to_owned()];
    }
    if !is_glob(text) {
        return Vec::new();
    }
    let mut found: Vec<PathBuf> = vec![PathBuf::new()];
    for part in path.components() {
        let part = part.as_os_str().to_string_lossy().into_owned();
        found = if is_glob(&part) {
            found.iter().flat_map(|dir| children(dir, &part)).collect()
        } else {
            found.into_iter().map(|dir| dir.join(&part)).filter(|p| p.exists()).collect()
        };
    }
    found.sort_unstable();
    found
}

/// Entries of a directory that fit; hidden ones only when the pattern begins with a dot.
fn children(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let at = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = std::fs::read_dir(at) else { return Vec::new() };
    entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| fits(pattern, name) && (!name.starts_with('.') || pattern.starts_with('.')))
        .map(|name| dir.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_fit_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("*", "", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("*-api-*", "shop-api-7d", true),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("**", "anything", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
