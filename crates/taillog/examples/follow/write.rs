//! The writer: logs of containers as containerd writes and kubelet rotates them, with gzip at work meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Failure;
use super::seen::now_ns;

pub const FILES: usize = 1_000;
/// Lines of one millisecond; each goes to another file.
const LINES: usize = 50;
const MILLIS: usize = 10_000;
const ROTATIONS: usize = 200;
/// How many files are rotated again and again.
const ROTATED: usize = 40;
/// Files of one log that kubelet keeps.
const KEPT: usize = 5;
/// With one more at each rotation, to the file that was renamed.
pub const TOTAL: u64 = (LINES * MILLIS + ROTATIONS) as u64;

fn folder(dir: &Path, file: usize) -> PathBuf {
    dir.join(format!("shop_web-{file:04}_{file:032x}")).join("app")
}

pub fn live(dir: &Path, file: usize) -> PathBuf {
    folder(dir, file).join("0.log")
}

/// Makes the files, each with a line of long ago.
pub fn prepare(dir: &Path) -> Result<(), Failure> {
    for file in 0..FILES {
        fs::create_dir_all(folder(dir, file))?;
        fs::write(live(dir, file), format!("2026-01-01T00:00:00Z stdout F before {file}\n"))?;
    }
    Ok(())
}

pub fn run(dir: &Path) -> Result<(), Failure> {
    let open = |file: usize| OpenOptions::new().create(true).append(true).open(live(dir, file));
    let mut files = (0..FILES).map(open).collect::<Result<Vec<File>, _>>()?;
    let mut places = vec![0_u64; FILES];
    let began = Instant::now();
    let mut next = 0;
    let mut packing: Option<std::thread::JoinHandle<Result<(), String>>> = None;
    for milli in 0..MILLIS {
        let due = Duration::from_millis(milli as u64);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        for _ in 0..LINES {
            let file = next % FILES;
            next += 1;
            line(&mut files, &mut places, file)?;
        }
        if milli % (MILLIS / ROTATIONS) == 0 {
            let file = (milli / (MILLIS / ROTATIONS)) % ROTATED;
            let away = folder(dir, file).join(format!("0.log.20260101-{milli:06}"));
            fs::rename(live(dir, file), away)?;
            // The runtime writes to the old file until it is told.
            line(&mut files, &mut places, file)?;
            next += 1;
            if let (Some(held), fresh) = (files.get_mut(file), open(file)?) {
                *held = fresh;
            }
            if let Some(done) = packing.take() {
                done.join().map_err(|_| "packing failed")??;
            }
            let folder = folder(dir, file);
            packing = Some(std::thread::spawn(move || tidy(&folder).map_err(|e| e.to_string())));
        }
    }
    if let Some(done) = packing.take() {
        done.join().map_err(|_| "packing failed")??;
    }
    Ok(())
}

fn line(files: &mut [File], places: &mut [u64], file: usize) -> Result<(), Failure> {
    if let (Some(out), Some(place)) = (files.get_mut(file), places.get_mut(file)) {
        let ns = now_ns();
        let (seconds, nanos) = (ns / 1_000_000_000 % 86_400, ns % 1_000_000_000);
        let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        // The day is of no matter here.
        let text = format!("2026-01-02T{h:02}:{m:02}:{s:02}.{nanos:09}Z stdout F {ns} {file} {place}\n");
        out.write_all(text.as_bytes())?;
        *place += 1;
    }
    Ok(())
}

/// Removes what is too much and gzips what is not the newest rotated file.
fn tidy(folder: &Path) -> Result<(), Failure> {
    let mut rotated: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|e| Some(e.ok()?.path())).collect();
    rotated.retain(|p| p.file_name().is_some_and(|n| n != "0.log"));
    rotated.sort();
    let excess = rotated.len().saturating_sub(KEPT - 1);
    for path in rotated.drain(..excess) {
        fs::remove_file(path)?;
    }
    rotated.pop();
    for plain in rotated.iter().filter(|p| p.extension().is_none_or(|e| e != "gz")) {
        let (half, packed) = (plain.with_added_extension("tmp"), plain.with_added_extension("gz"));
        let mut out = GzEncoder::new(File::create(&half)?, Compression::default());
        std::io::copy(&mut File::open(plain)?, &mut out)?;
        out.finish()?;
        fs::rename(&half, packed)?;
        fs::remove_file(plain)?;
    }
    Ok(())
}
