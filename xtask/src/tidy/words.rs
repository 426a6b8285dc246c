//! Rules for every text: words that belong to nobody's machine, names of files, lock files without addresses.

use super::Finding;

/// Endings of files that are written by hand as source.
const SOURCES: &[&str] = &["rs", "ts", "tsx", "go"];

/// Lock files are the package managers' own text.
const LOCKS: &[&str] = &["Cargo.lock", "package-lock.json", "go.sum"];

/// Where Cargo's packages come from, as the lock file names it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What stands for nothing but the place or the talk around the project.
const STRAY: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("sp", "ec/"), "a text that is not in this repository"),
    (concat!("..", "/shared"), "a text that is not in this repository"),
    (concat!("issue", " #"), "a number in somebody's list"),
];

/// Words that make a name say nothing.
const VAGUE: &[&str] = &["manager", "helper", "helpers", "util", "utils", "common"];

pub fn is_source(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| SOURCES.contains(&ending)) && !path.ends_with(".d.ts")
}

/// The vague word in a name, written in any case and with `_` or `-` between words.
pub fn is_vague(name: &str) -> Option<&'static str> {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    let mut words = words.split([' ', '_', '-', '.']);
    words.find_map(|word| VAGUE.iter().find(|vague| **vague == word).copied())
}

pub fn check_name(path: &str) -> Option<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let what = if name == "mod.rs" {
        "is a mod.rs; name it after its folder, beside the folder".to_owned()
    } else {
        let vague = is_vague(name).filter(|_| is_source(path))?;
        format!("is called a {vague}, which says nothing; name what it is or does")
    };
    Some(Finding::new(path, 1, what))
}

pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lines = text.lines().zip(1..);
    if LOCKS.contains(&name) {
        return lines.filter_map(|(line, at)| address(path, at, line)).collect();
    }
    lines.flat_map(|(line, at)| stray(line).map(move |what| Finding::new(path, at, what))).collect()
}

fn stray(line: &str) -> impl Iterator<Item = String> + '_ {
    let lower = line.to_ascii_lowercase();
    STRAY.iter().filter(move |(word, _)| contains(&lower, word)).map(|(word, why)| {
        format!("`{word}` is {why}; say it in words of this project, or cite a public source")
    })
}

/// Whether a word stands in a line by itself: as a part of a longer path or word it is another one.
fn contains(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '$' | '}' | '-' | '.');
    line.match_indices(word).any(|(at, _)| !line.get(..at).is_some_and(|before| before.ends_with(part)))
}

/// A lock file says what, not where from: the registry is the reader's own choice.
fn address(path: &str, at: usize, line: &str) -> Option<Finding> {
    let line = line.trim();
    let resolved = line.starts_with("\"resolved\"");
    let elsewhere =
        line.strip_prefix("source = ").is_some_and(|source| source.trim_matches('"') != CRATES_IO);
    (resolved || elsewhere).then(|| {
        let what = "a download address in a lock file; write the file without it (npm: `omit-lockfile-registry-resolved=true`)";
        Finding::new(path, at, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_words_are_found_where_they_stand_alone() {
        let found = |line: &str| !check("a.md", line).is_empty();
        for (word, _) in STRAY {
            assert!(found(&format!("see `{word}x`")) && found(word), "{word}");
        }
        assert!(found(concat!("Issue", " #12")));
        for line in ["\"/spec/replicas\"", "$work/bin", "a tissue", "chroot/x", "respec/x", "network/"] {
            assert!(!found(line), "{line}");
        }
    }

    #[test]
    fn lock_files_name_no_addresses() {
        let found = |path: &str, line: &str| check(path, line).len();
        assert_eq!(found("web/package-lock.json", "  \"resolved\": \"https://x/y.tgz\","), 1);
        assert_eq!(found("web/package-lock.json", "  \"integrity\": \"sha512-x\","), 0);
        assert_eq!(found("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
        assert_eq!(found("Cargo.lock", "source = \"git+https://x/y#z\""), 1);
    }

    #[test]
    fn file_names_say_something() {
        assert!(check_name("src/foo/mod.rs").is_some());
        assert!(check_name("src/string_utils.rs").is_some());
        assert!(check_name("src/JobHelper.tsx").is_some());
        assert!(check_name("src/utilisation.rs").is_none());
        assert!(check_name("src/password/common.txt").is_none());
    }
}
