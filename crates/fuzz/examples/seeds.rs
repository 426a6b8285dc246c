//! Writes the seeds of every target below a directory, as the fuzzer takes them: `seeds DIR`.

use std::io::Result;
use std::path::PathBuf;

fn main() -> Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds DIR");
        std::process::exit(2);
    };
    for target in ph_fuzz::TARGETS {
        let own = dir.join(target.name);
        std::fs::create_dir_all(&own)?;
        for (i, seed) in target.seeds.iter().enumerate() {
            std::fs::write(own.join(format!("seed-{i}")), seed)?;
        }
    }
    Ok(())
}
