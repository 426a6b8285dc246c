//! Opens the browser at the sign-in link, where there is a browser and a screen.
//!
//! Never:  the link in an argument list, which every user of the machine can read: the browser is given a private file that leads
//! on to it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGE: &str = "open.html";

/// Opens it, or does nothing: the link was printed.
pub fn open(link: &str, dir: &Path) {
    let Some(opener) = opener() else { return };
    let page = match page(link, dir) {
        Ok(page) => page,
        Err(error) => {
            tracing::debug!(%error, "no page for the browser");
            return;
        }
    };
    let started = Command::new(opener)
        .arg(&page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // It hands over to the browser and ends; waited for on a thread of its own, so that nothing is left behind.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::debug!(%error, "the browser was not opened"),
    }
}

/// Removes the page: its link is of this start alone.
pub fn forget(dir: &Path) {
    // It is there only when a browser was opened.
    let _ = std::fs::remove_file(dir.join(PAGE));
}

/// The program that opens things, when there is a screen.
fn opener() -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        return on_path("open");
    }
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return None;
    }
    on_path("xdg-open")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A page that leads to the link; mode 0600, new each time.
fn page(link: &str, dir: &Path) -> std::io::Result<PathBuf> {
    let path = dir.join(PAGE);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let link = link.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    write!(
        file,
        "<!doctype html><meta charset=\"utf-8\"><title>Pilothouse</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={link}\"><a href=\"{link}\">Open Pilothouse</a>"
    )?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_page_is_private_and_leads_to_the_link() {
        let dir = tempfile::tempdir().unwrap();
        for token in ["one", "two"] {
            let path = page(&format!("http://127.0.0.1:8020/sign-in#token={token}"), dir.path()).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("url=http://127.0.0.1:8020/sign-in#token={token}\"")), "{text}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
