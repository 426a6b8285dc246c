//! Which cached files are found, and which are made anew.

use super::*;

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = env::temp_dir().join(format!("testbed-cache-{}-{name}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    for (file, content) in files {
        fs::write(dir.join(file), content).unwrap();
    }
    dir
}

#[test]
fn the_hash_is_of_the_sources_and_not_of_the_place() {
    let one = folder("one", &[("a.go", "x"), ("b.go", "y")]);
    let two = folder("two", &[("b.go", "y"), ("a.go", "x")]);
    let other = folder("other", &[("a.go", "xb.go 1\ny")]);
    let of = |dir: &Path, flags: &str| fingerprint(dir, flags).unwrap();
    assert_eq!(of(&one, "f"), of(&two, "f"));
    assert_ne!(of(&one, "f"), of(&one, "g"));
    assert_ne!(of(&one, "f"), of(&other, "f"));
    for dir in [one, two, other] {
        fs::remove_dir_all(dir).unwrap();
    }
}
