//! Paths to sources: globs, directories, and what a path says of the container that wrote the log.

use std::path::{Path, PathBuf};

use ph_taillog::SourceId;
use xxhash_rust::xxh3::xxh3_64;

use super::Local;
use crate::commands::logs::glob;
use crate::commands::logs::line::Source;
use crate::failure::{Failure, code};

/// Every source that the paths mean, each once, sorted.
pub fn expand(paths: &[String]) -> Result<Vec<Local>, Failure> {
    let mut ids: Vec<SourceId> = Vec::new();
    for text in paths {
        let found = glob::paths(text);
        if found.is_empty() {
            return Err(Failure::new(code::NO_SOURCE, format!("file:{text}: no such file or directory"))
                .next("write a path, a directory of copied logs, or a glob in quotes: 'file:logs/*/*.log'"));
        }
        for path in found {
            ids.extend(ph_taillog::local_sources(&path).map_err(|e| super::failure(&e))?);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Err(Failure::new(
            code::NO_SOURCE,
            format!("file:{}: there is no file in it", paths.join(", file:")),
        )
        .next("name a directory that holds logs"));
    }
    Ok(named(ids))
}

fn named(ids: Vec<SourceId>) -> Vec<Local> {
    let mut locals: Vec<Local> = ids
        .into_iter()
        .map(|id| {
            let path = match &id {
                SourceId::File { path } => path.clone(),
                SourceId::Pod { .. } | SourceId::Docker { .. } => PathBuf::new(),
            };
            let full = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
            let hash = xxh3_64(full.as_os_str().as_encoded_bytes());
            Local { source: source_of(&full), id, path, hash }
        })
        .collect();
    // Files of one name in several places are told apart by their paths.
    let names: Vec<String> = locals.iter().map(|l| key(&l.source)).collect();
    for (i, local) in locals.iter_mut().enumerate() {
        let same = names.iter().enumerate().any(|(j, n)| i != j && names.get(i) == Some(n));
        if same && local.source.namespace.is_empty() {
            local.source.pod = local.path.display().to_string();
        }
    }
    locals
}

fn key(s: &Source) -> String {
    [&s.namespace, &s.pod, &s.pod_uid, &s.container].map(String::as_str).join("/")
}

/// What the kubelet's names say: `NAMESPACE_POD_UID/CONTAINER[/N.log]`, or `POD_NAMESPACE_CONTAINER-ID.log`; else the file's name.
pub fn source_of(path: &Path) -> Source {
    let parts: Vec<String> = path.iter().rev().take(3).map(|p| p.to_string_lossy().into_owned()).collect();
    let part = |i: usize| parts.get(i).map_or("", String::as_str);
    for (dir, container) in [(part(2), part(1)), (part(1), part(0))] {
        let names: Vec<&str> = dir.splitn(3, '_').collect();
        if let [namespace, pod, uid] = names.as_slice()
            && [namespace, pod, uid].iter().all(|n| !n.is_empty())
            && (uid.len() == 36 || uid.len() == 32)
        {
            return Source {
                namespace: (*namespace).to_owned(),
                pod: (*pod).to_owned(),
                pod_uid: (*uid).to_owned(),
                container: container.to_owned(),
                ..Source::default()
            };
        }
    }
    of_link(part(0)).unwrap_or_else(|| Source { pod: part(0).to_owned(), ..Source::default() })
}

/// The names in `/var/log/containers`.
fn of_link(name: &str) -> Option<Source> {
    let names: Vec<&str> = name.strip_suffix(".log")?.splitn(3, '_').collect();
    let [pod, namespace, rest] = names.as_slice() else { return None };
    let (container, id) = rest.rsplit_once('-')?;
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Source {
        namespace: (*namespace).to_owned(),
        pod: (*pod).to_owned(),
        container: container.to_owned(),
        ..Source::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(key(&source_of(Path::new(path))), expected, "{path}");
    }

    #[test]
    fn paths_say_who_wrote_a_log() {
        let uid = "0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c";
        check(&format!("/var/log/pods/shop_web-1_{uid}/app/0.log"), &format!("shop/web-1/{uid}/app"));
        check(&format!("/tmp/x/shop_web-1_{uid}/app"), &format!("shop/web-1/{uid}/app"));
        let id = "a".repeat(64);
        check(&format!("/var/log/containers/web-1_shop_app-{id}.log"), "shop/web-1//app");
        check("/tmp/big.log", "/big.log//");
        check("/tmp/a_b_c/x.log", "/x.log//");
    }

    #[test]
    fn directories_and_globs_stand_for_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/one.log", "b/one.log", "b/two.txt"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x\n").unwrap();
        }
        let at = |tail: &str| format!("{}{tail}", dir.path().display());
        let names = |paths: &[String]| -> Vec<String> {
            expand(paths).unwrap().iter().map(|l| l.source.pod.replace(&at("/"), "")).collect()
        };
        assert_eq!(names(&[at("")]), ["a/one.log", "b/one.log", "two.txt"]);
        assert_eq!(names(&[at("/*/*.txt"), at("/b/two.txt")]), ["two.txt"]);
        assert_eq!(expand(&[at("/c")]).unwrap_err().exit_code(), 3);
        assert_eq!(expand(&[at("/*.none")]).unwrap_err().exit_code(), 3);
    }
}
