//! A container's log directory and those who write to it: the runtime, and kubelet's rotation.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::*;

pub const SECOND: i64 = 1_000_000_000;

pub struct Node {
    pub temp: tempfile::TempDir,
    pub roots: Roots,
    pub id: SourceId,
    pub dir: PathBuf,
    pub run: u32,
    /// Time of the next line, ns.
    pub clock: i64,
    /// The runtime's open file.
    file: Option<File>,
    stamp: u32,
}

impl Node {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let roots = Roots::new(temp.path().join("pods"), temp.path().join("docker"));
        let id = SourceId::Pod {
            namespace: "shop".into(),
            pod: "cart-1".into(),
            pod_uid: "4f2d".into(),
            container: "app".into(),
        };
        let dir = temp.path().join("pods/shop_cart-1_4f2d/app");
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(temp.path().join("docker")).unwrap();
        let clock = 1_700_000_000 * SECOND;
        Self { temp, roots, id, dir, run: 0, clock, file: None, stamp: 10 }
    }

    /// Another pair of eyes on the same files; it does not write.
    pub fn view(other: &Node) -> Self {
        Self {
            temp: tempfile::tempdir().unwrap(),
            roots: other.roots.clone(),
            id: other.id.clone(),
            dir: other.dir.clone(),
            run: other.run,
            clock: other.clock,
            file: None,
            stamp: other.stamp,
        }
    }

    pub fn live(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.run))
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        let live = self.live();
        let file =
            self.file.get_or_insert_with(|| OpenOptions::new().append(true).create(true).open(live).unwrap());
        file.write_all(bytes).unwrap();
    }

    pub fn tick(&mut self) -> String {
        self.clock += 1_000_000;
        stamp_text(self.clock)
    }

    /// A whole line on stdout.
    pub fn line(&mut self, text: &str) {
        self.piece("stdout", "F", text);
    }

    pub fn piece(&mut self, stream: &str, tags: &str, text: &str) {
        let time = self.tick();
        self.raw(format!("{time} {stream} {tags} {text}\n").as_bytes());
    }

    /// Renames the live file as kubelet does; the runtime still writes to it.
    pub fn rename_live(&mut self) -> PathBuf {
        self.stamp += 1;
        let to = self.dir.join(format!("{}.log.20260101-{:06}", self.run, self.stamp));
        fs::rename(self.live(), &to).unwrap();
        to
    }

    /// The runtime opens the live name anew.
    pub fn reopen(&mut self) {
        self.file = None;
        self.raw(b"");
    }

    pub fn rotate(&mut self) -> PathBuf {
        let to = self.rename_live();
        self.reopen();
        to
    }

    /// Gzips every rotated plain file but the newest.
    pub fn gzip_older(&mut self) {
        let mut plain = self.rotated();
        plain.retain(|p| p.extension().is_some_and(|e| e != "gz"));
        plain.pop();
        for path in plain {
            gzip(&path);
        }
    }

    /// Rotated files of the current run, oldest first.
    pub fn rotated(&self) -> Vec<PathBuf> {
        let prefix = format!("{}.log.", self.run);
        let mut found: Vec<PathBuf> = fs::read_dir(&self.dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&prefix))
            .collect();
        found.sort();
        found
    }

    pub fn delete_oldest(&mut self) -> bool {
        let found = self.rotated();
        found.first().is_some_and(|p| fs::remove_file(p).is_ok())
    }

    pub fn copytruncate(&mut self) {
        self.stamp += 1;
        self.raw(b"");
        OpenOptions::new().write(true).open(self.live()).unwrap().set_len(0).unwrap();
    }

    pub fn restart(&mut self) {
        self.file = None;
        self.run += 1;
        self.raw(b"");
    }

    pub fn remove(&mut self) {
        self.file = None;
        fs::remove_dir_all(self.dir.parent().unwrap()).unwrap();
    }

    pub fn open(&self, ask: ReadAsk) -> Reader {
        Reader::open(&self.roots, &self.id, ask).unwrap()
    }

    /// Everything that a reader with this question gives until it ends or has caught up.
    pub fn read(&self, ask: ReadAsk) -> Vec<String> {
        texts(&drain(&mut self.open(ask), 0))
    }
}

pub fn gzip(path: &std::path::Path) {
    let name = path.to_str().unwrap();
    let tmp = format!("{name}.tmp");
    let mut out = flate2::write::GzEncoder::new(File::create(&tmp).unwrap(), flate2::Compression::fast());
    out.write_all(&fs::read(path).unwrap()).unwrap();
    out.finish().unwrap();
    fs::rename(&tmp, format!("{name}.gz")).unwrap();
    fs::remove_file(path).unwrap();
}

/// One thing that a reader gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    pub text: String,
    pub record: Option<(ph_model::Position, ph_model::Position, i64)>,
}

pub fn drain(reader: &mut Reader, now_ns: i64) -> Vec<Given> {
    drain_by(reader, now_ns, 1 << 20)
}

pub fn drain_by(reader: &mut Reader, now_ns: i64, max_bytes: usize) -> Vec<Given> {
    let mut all = Vec::new();
    loop {
        let batch = reader.next_batch(max_bytes, now_ns).unwrap();
        give(&batch, &mut all);
        if batch.state != State::More {
            return all;
        }
    }
}

pub fn give(batch: &Batch, all: &mut Vec<Given>) {
    let mut notes = batch.notes.iter().peekable();
    for i in 0..=batch.records.len() {
        while let Some((_, note)) = notes.next_if(|(at, _)| *at <= i) {
            let text = match note {
                Note::Gap(gap) => format!("<{}>", gap.kind.as_str()),
                Note::Marker(Marker::Restarted { run }) => format!("<restarted {run}>"),
                Note::Marker(Marker::Ended) => "<ended>".to_owned(),
            };
            all.push(Given { text, record: None });
        }
        if let Some(r) = batch.records.get(i) {
            let mut text = String::from_utf8_lossy(batch.message(r)).into_owned();
            for flag in r.flags.names() {
                text = format!("{text} !{flag}");
            }
            all.push(Given { text, record: Some((r.position, r.resume, r.ts_ns)) });
        }
    }
}

pub fn texts(given: &[Given]) -> Vec<String> {
    given.iter().map(|g| g.text.clone()).collect()
}

/// RFC 3339 with nine digits, as containerd writes it.
pub fn stamp_text(ns: i64) -> String {
    let (secs, nanos) = (ns / SECOND, ns % SECOND);
    let (days, day) = (secs / 86_400, secs % 86_400);
    let (mut year, mut left) = (1970, days);
    let length = |y: i64| if y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) { 366 } else { 365 };
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let mut month = 0;
    let months = [31, if length(year) == 366 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    format!(
        "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
        month + 1,
        left + 1,
        day / 3600,
        day / 60 % 60,
        day % 60
    )
}
