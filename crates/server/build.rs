//! Chooses what the binary embeds as its web UI: `web/dist` when it is built, else a page that says how to build it.

use std::path::{Path, PathBuf};

const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Pilothouse</title>\
<h1>The web UI is not built into this binary</h1>\
<p>Run <code>make web</code>, then build again. The API works: <a href=/api/v1/openapi.json>its description</a>.</p>\n";

fn main() -> std::io::Result<()> {
    // Relative, and read when this runs: one target directory may serve several clones.
    let dist = Path::new("../../web/dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.join("index.html").display());
    let folder = if dist.join("index.html").exists() { dist.canonicalize()? } else { placeholder()? };
    println!("cargo:rustc-env=PILOTHOUSE_WEB_DIST={}", folder.display());
    Ok(())
}

fn placeholder() -> std::io::Result<PathBuf> {
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("no-web");
    std::fs::create_dir_all(&out)?;
    std::fs::write(out.join("index.html"), PAGE)?;
    Ok(out)
}
