//! Every target over its seeds, and over what is near them; that each has its file for the fuzzer.

use crate::TARGETS;

/// Changes of one seed: cut anywhere, one byte another, a piece of another seed inside.
fn near(seed: &[u8], other: &[u8], mut take: impl FnMut(&[u8])) {
    take(seed);
    for at in 0..seed.len().min(200) {
        take(&seed[..at]);
        for with in [0, b'\n', b'"', b'(', 0x80, 0xff, seed[at].wrapping_add(1)] {
            let mut changed = seed.to_vec();
            changed[at] = with;
            take(&changed);
        }
        let piece = &other[..other.len().min(1 + at % 17)];
        take(&[&seed[..at], piece, &seed[at..]].concat());
    }
}

#[test]
fn targets_hold_over_their_seeds_and_what_is_near() {
    for target in TARGETS {
        for (i, seed) in target.seeds.iter().enumerate() {
            let other = target.seeds[(i + 1) % target.seeds.len()];
            near(seed, other, target.body);
        }
    }
}

#[test]
fn each_target_has_its_file() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(dir.join("fuzz_targets"))
        .unwrap()
        .map(|f| f.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut named: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    named.sort_unstable();
    assert_eq!(files, named);
    for target in TARGETS {
        let source = std::fs::read_to_string(dir.join(format!("fuzz_targets/{}.rs", target.name))).unwrap();
        assert!(source.contains(&format!("ph_fuzz::{}(", target.name)), "{source}");
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{} is no binary", target.name);
    }
}
